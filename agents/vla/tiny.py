"""Tiny vision-language checkpoints with random weights, one of each family, in the format of real ones.

They exist so that tests, tutorials and continuous integration go through the code that loads real checkpoints, offline
and in seconds. They know nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

TINY_FAMILIES = ("qwen2_5_vl", "qwen3_vl", "smolvlm", "idefics3", "internvl", "llava")
_WORDS = (
    "You drive a car. Navigation: follow the lane. Speed 5.0 m/s, acceleration 0.1 m/s2. turn left turn right",
    "Route points ahead (ahead, right) in metres: (10.0, 0.1), (20.0, -0.3). Positions 1.5, 1.0 and 0.5 s ago:",
    "Answer with the action tokens of your trajectory. <think> </think> reason waypoints every half second",
)
_TEMPLATE = (
    "{{% for m in messages %}}<|im_start|>{{{{ m.role }}}}\n{{% for c in m.content %}}"
    "{{% if c.type == 'image' %}}{image}"
    "{{% else %}}{{{{ c.text }}}}{{% endif %}}{{% endfor %}}<|im_end|>\n{{% endfor %}}"
    "{{% if add_generation_prompt %}}<|im_start|>assistant\n{{% endif %}}"
)


def make_tiny_checkpoint(
    family: str, folder: str | Path, *, width: int = 64, layers: int = 2, tied: bool = False, seed: int = 0
) -> Path:
    """Write a checkpoint of `family` (`TINY_FAMILIES`) and return its folder."""
    from transformers import AutoModelForImageTextToText

    folder = Path(folder)
    maker = {"qwen2_5_vl": _qwen, "qwen3_vl": _qwen, "smolvlm": _idefics, "idefics3": _idefics}.get(family, _plain)
    config, tokenizer, processor = maker(family, width, layers, tied)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _tokenizer(special: list[str], image: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    every = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special]
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=every, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator(_WORDS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    tokenizer.chat_template = _TEMPLATE.format(image=image)
    return tokenizer


def _text(tokenizer: Any, width: int, layers: int) -> dict[str, Any]:
    ids = tokenizer.convert_tokens_to_ids
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "eos_token_id": ids("<|im_end|>"),
        "pad_token_id": ids("<|endoftext|>"),
        "bos_token_id": ids("<|endoftext|>"),
    }


def _qwen(family: str, width: int, layers: int, tied: bool) -> tuple[Any, Any, Any]:
    from transformers import Qwen2_5_VLConfig, Qwen2VLImageProcessorPil, Qwen3VLConfig

    special = ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    tokenizer = _tokenizer(special, "<|vision_start|><|image_pad|><|vision_end|>")
    start, end, image, video = (tokenizer.convert_tokens_to_ids(token) for token in special)
    ids = {
        "image_token_id": image,
        "video_token_id": video,
        "vision_start_token_id": start,
        "vision_end_token_id": end,
        "tie_word_embeddings": tied,
    }
    text = _text(tokenizer, width, layers)
    vision: dict[str, Any] = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_heads": 4,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "out_hidden_size": width,
    }
    config: Any
    if family == "qwen2_5_vl":
        half = width // 8  # half of a head; the sections of the rotary embedding add up to it
        first = half // 4
        rest = half - first
        sections = [first, rest // 2, rest - rest // 2]
        text["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
        vision |= {"depth": 2, "patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]}
        config = Qwen2_5_VLConfig(text_config={**text, "tie_word_embeddings": tied}, vision_config=vision, **ids)
    else:
        rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [2, 3, 3], "mrope_interleaved": True}
        text |= {"head_dim": 16, "rope_parameters": rope, "tie_word_embeddings": tied}
        vision |= {"depth": 3, "patch_size": 16, "num_position_embeddings": 256, "deepstack_visual_indexes": [0, 1]}
        config = Qwen3VLConfig(text_config=text, vision_config=vision, **ids)
    processor = Qwen2VLImageProcessorPil(
        patch_size=vision["patch_size"], merge_size=2, temporal_patch_size=2,
        size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112},
    )  # fmt: skip
    return config, tokenizer, processor


def _idefics(family: str, width: int, layers: int, tied: bool) -> tuple[Any, Any, Any]:
    from transformers import Idefics3Config, Idefics3ImageProcessorPil, SmolVLMConfig, SmolVLMImageProcessorPil

    tokenizer = _tokenizer(["<image>", "<fake_token_around_image>", "<global-img>"], "<image>")
    size = 128
    maker = SmolVLMConfig if family == "smolvlm" else Idefics3Config
    config = maker(
        text_config={"model_type": "llama", **_text(tokenizer, width, layers), "tie_word_embeddings": tied},
        vision_config={
            "hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 4,
            "image_size": size, "patch_size": 16,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        tie_word_embeddings=tied,
    )  # fmt: skip
    pictures = SmolVLMImageProcessorPil if family == "smolvlm" else Idefics3ImageProcessorPil
    edge = {"longest_edge": size}
    return config, tokenizer, pictures(do_image_splitting=False, size=edge, max_image_size=edge)


def _plain(family: str, width: int, layers: int, tied: bool) -> tuple[Any, Any, Any]:
    from transformers import CLIPImageProcessorPil, GotOcr2ImageProcessorPil, InternVLConfig, LlavaConfig

    size = 112
    vision = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 4}
    edge = {"height": size, "width": size}
    if family == "internvl":
        tokenizer = _tokenizer(["<IMG_CONTEXT>", "<img>", "</img>"], "<IMG_CONTEXT>\n")
        text = {"model_type": "qwen2", **_text(tokenizer, width, layers), "tie_word_embeddings": tied}
        config: Any = InternVLConfig(
            text_config=text,
            vision_config={**vision, "image_size": [size, size], "patch_size": [14, 14]},
            image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
            image_seq_length=(size // 14) ** 2 // 4,
            downsample_ratio=0.5,
            tie_word_embeddings=tied,
        )
        processor: Any = GotOcr2ImageProcessorPil(size=edge, crop_to_patches=False)
        return config, tokenizer, processor
    tokenizer = _tokenizer(["<image>"], "<image>\n")
    text = {"model_type": "llama", **_text(tokenizer, width, layers), "tie_word_embeddings": tied}
    config = LlavaConfig(
        text_config=text,
        vision_config={
            "model_type": "clip_vision_model", **vision, "image_size": size, "patch_size": 14, "projection_dim": width
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(size // 14) ** 2,
        vision_feature_layer=-2,
        tie_word_embeddings=tied,
    )  # fmt: skip
    return config, tokenizer, CLIPImageProcessorPil(size=edge, crop_size=edge, do_center_crop=False)
