"""Vision-language models as driving policies: any family of `AutoModelForImageTextToText`, offline by default."""
