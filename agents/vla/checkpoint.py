"""Loading a vision-language model, and giving it action tokens.

Nothing is fetched: a name is a folder, or a model of the local Hugging Face cache, unless `online` is asked for. The
processor is composed of tokenizer and PIL image processor, so torchvision is not needed.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.vla.families import Family, family_of, image_token_id
from simulator.errors import AgentError

ACTION_TOKEN = "<action_{}>"


@dataclass
class VlaParts:
    """A model and what prepares its input.

    Attributes:
        action_low, action_high: ids [low, high) of the action tokens; equal without any.
    """

    model: Any
    tokenizer: Any
    image_processor: Any
    family: Family
    image_id: int
    action_low: int = 0
    action_high: int = 0

    @property
    def text_size(self) -> int:
        """Ids below this are text."""
        return self.action_low if self.action_high > self.action_low else len(self.tokenizer)


def load_parts(
    path: str, *, dtype: str = "float32", device: str = "cpu", attention: str = "sdpa", online: bool = False
) -> VlaParts:
    """Model, tokenizer and image processor of a checkpoint.

    Args:
        path: folder, or name in the local cache.
        dtype: of the weights, such as "bfloat16". attention: implementation, such as "sdpa", "eager".
        online: let transformers fetch what is not there.

    Raises:
        AgentError: when transformers is missing, or the checkpoint is, or its family is not known.
    """
    try:
        from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
    except ImportError as error:
        raise AgentError("vision-language models need transformers: pip install routegym[train]") from error
    local = not online
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=local)
        family = family_of(config)
        options = dict(family.processor_options or {})
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=local, padding_side="left")
        processor = AutoImageProcessor.from_pretrained(path, local_files_only=local, backend="pil", **options)
        model = AutoModelForImageTextToText.from_pretrained(
            path, local_files_only=local, dtype=getattr(torch, dtype), attn_implementation=attention
        )
    except (OSError, ValueError, ImportError) as error:
        raise AgentError(f"{path} is no vision-language checkpoint that can be loaded: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    parts = VlaParts(model.to(device), tokenizer, processor, family, image_token_id(model.config))
    find_action_tokens(parts)
    return parts


def find_action_tokens(parts: VlaParts) -> None:
    """Set the range of action tokens that the tokenizer already has."""
    vocabulary = parts.tokenizer.get_added_vocab()
    count = 0
    while ACTION_TOKEN.format(count) in vocabulary:
        count += 1
    if count:
        parts.action_low = int(vocabulary[ACTION_TOKEN.format(0)])
        parts.action_high = parts.action_low + count


def add_action_tokens(parts: VlaParts, count: int, seed: int = 0) -> None:
    """Give the model `count` action tokens with contiguous ids; new rows are the mean of the text rows plus noise.

    A checkpoint whose matrices have more rows than the tokenizer has tokens (Qwen-VL) never shrinks.

    Raises:
        AgentError: when it already has another number of them, or their ids are not contiguous.
    """
    have = parts.action_high - parts.action_low
    if have == count:
        return
    if have:
        raise AgentError(f"the checkpoint has {have} action tokens, the codebook {count}")
    before = len(parts.tokenizer)
    parts.tokenizer.add_tokens([ACTION_TOKEN.format(k) for k in range(count)], special_tokens=False)
    find_action_tokens(parts)
    if (parts.action_low, parts.action_high) != (before, before + count):
        raise AgentError(f"action tokens got ids {parts.action_low}..{parts.action_high}, expected {before} on")
    rows = int(parts.model.get_input_embeddings().weight.shape[0])
    if parts.action_high > rows:
        parts.model.resize_token_embeddings(parts.action_high, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    for matrix in embedding_matrices(parts.model):
        with torch.no_grad():
            text = matrix[:before].float()
            mean, spread = text.mean(0), float(text.std())
            noise = torch.randn((count, matrix.shape[1]), generator=generator).to(matrix.device)
            matrix[before : before + count] = (mean + 0.5 * spread * noise).to(matrix.dtype)


def embedding_matrices(model: Any) -> list[torch.nn.Parameter]:
    """Input embedding and output head; one matrix where they are tied."""
    inside, outside = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    return [inside] if outside is inside else [inside, outside]


def is_tied(model: Any) -> bool:
    """Whether input embedding and output head are one matrix."""
    return len(embedding_matrices(model)) == 1


def cache_name(model: Any) -> str:
    """What this version of transformers calls a key-value cache, in calls and in results."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def prepare_images(parts: VlaParts, images: np.ndarray) -> tuple[dict[str, torch.Tensor], list[int]]:
    """What the model takes for N pictures uint8[N, H, W, 3] RGB, and how many tokens each takes."""
    from PIL import Image

    pictures: list[Any] = [Image.fromarray(image) for image in images]
    if parts.family.nested:
        pictures = [[picture] for picture in pictures]
    features = parts.image_processor(images=pictures, return_tensors="pt")
    kept = {
        name: value
        for name, value in features.items()
        if name in ("pixel_values", "image_grid_thw", "pixel_attention_mask")
    }
    counts = parts.family.count(kept, parts.model.config, parts.image_processor, len(images))
    return kept, counts


def save_parts(parts: VlaParts, folder: str | Path) -> None:
    """Write a checkpoint that `load_parts` reads."""
    parts.model.save_pretrained(folder)
    parts.tokenizer.save_pretrained(folder)
    parts.image_processor.save_pretrained(folder)
