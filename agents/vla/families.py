"""What differs between families of vision-language models; everything else is common.

A family says how many tokens an image takes, how its placeholder in the chat template is spelled out, which tensors its
image processor hands to the model, and whether the model needs `mm_token_type_ids` (transformers 5: Qwen-VL silently
loses its image positions without them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import AgentError


@dataclass(frozen=True)
class Family:
    """How one family of models takes images.

    Attributes:
        placeholder: text that the chat template puts where an image goes; '' takes the spelling of the image token.
        spell: (placeholder, image token, tokens) -> text for the tokenizer.
        count: (image features, model config, image processor) -> tokens of each image.
        nested: its image processor takes a list of images a sample.
        needs_types: the model takes `mm_token_type_ids`.
        processor_options: of the image processor, in place of the checkpoint's.
    """

    spell: Callable[[str, int], str]
    count: Callable[[Mapping[str, Any], Any, Any, int], list[int]]
    placeholder: str = ""
    nested: bool = False
    needs_types: bool = False
    processor_options: Mapping[str, Any] | None = None


def _qwen_count(features: Mapping[str, Any], config: Any, processor: Any, images: int) -> list[int]:
    merge = config.vision_config.spatial_merge_size**2
    return [int(np.prod(np.asarray(grid))) // merge for grid in features["image_grid_thw"]]


def _idefics_count(features: Mapping[str, Any], config: Any, processor: Any, images: int) -> list[int]:
    vision = config.vision_config
    return [(vision.image_size // vision.patch_size) ** 2 // config.scale_factor**2] * images


def _internvl_count(features: Mapping[str, Any], config: Any, processor: Any, images: int) -> list[int]:
    return [int(config.image_seq_length)] * images


def _llava_count(features: Mapping[str, Any], config: Any, processor: Any, images: int) -> list[int]:
    vision = config.vision_config
    whole = (vision.image_size // vision.patch_size) ** 2
    return [whole + (config.vision_feature_select_strategy == "full")] * images


_QWEN = Family(lambda token, n: token * n, _qwen_count, needs_types=True)
_IDEFICS = Family(
    lambda token, n: f"<fake_token_around_image><global-img>{token * n}<fake_token_around_image>",
    _idefics_count,
    nested=True,
    processor_options={"do_image_splitting": False},
)
_INTERNVL = Family(
    lambda token, n: f"<img>{token * n}</img>", _internvl_count, processor_options={"crop_to_patches": False}
)
_LLAVA = Family(lambda token, n: token * n, _llava_count)

#: By `config.model_type`.
FAMILIES: Mapping[str, Family] = {
    "qwen2_vl": _QWEN,
    "qwen2_5_vl": _QWEN,
    "qwen3_vl": _QWEN,
    "qwen3_5": _QWEN,
    "smolvlm": _IDEFICS,
    "idefics3": _IDEFICS,
    "internvl": _INTERNVL,
    "llava": _LLAVA,
}


def family_of(config: Any) -> Family:
    """The family of a model's configuration.

    Raises:
        AgentError: for one that is not known.
    """
    kind = config.model_type
    if kind not in FAMILIES:
        raise AgentError(f"vision-language models of type {kind!r} are not known; known: {', '.join(FAMILIES)}")
    return FAMILIES[kind]


def image_token_id(config: Any) -> int:
    """Id of the token that stands for image features."""
    for name in ("image_token_id", "image_token_index"):
        if getattr(config, name, None) is not None:
            return int(getattr(config, name))
    raise AgentError(f"the configuration of {config.model_type} names no image token")
