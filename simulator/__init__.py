#: Version of the embedded town's behaviour, a part of every result. Raise it when the same seed no longer drives the same.
WORLD_VERSION = "1"
