"""What of a vision-language model learns: LoRA adapters and the rows of action tokens, both in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from agents.vla.checkpoint import VlaParts, embedding_matrices


def add_lora(model: Any, rank: int, alpha: float) -> None:
    """Put adapters on all linear layers of the language model; small steps would be lost in bfloat16, so in float32."""
    from peft import LoraConfig, inject_adapter_in_model

    targets = language_linears(model)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, target_modules=targets), model)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


class ActionRows:
    """The rows of embedding and head that belong to action tokens, as float32 parameters of their own.

    They stand in for the model's rows wherever it embeds or scores an action token, so that its matrices stay frozen:
    neither gradients nor states of an optimiser are kept for rows of text, and small steps are not lost in bfloat16.
    """

    def __init__(self, parts: VlaParts) -> None:
        low, high = self._low, self._high = parts.action_low, parts.action_high
        self._rows = [
            nn.Parameter(matrix.detach()[low:high].float().clone()) for matrix in embedding_matrices(parts.model)
        ]
        parts.model.get_input_embeddings().register_forward_hook(self._embed)
        parts.model.get_output_embeddings().register_forward_hook(self._score)

    def parameters(self) -> list[nn.Parameter]:
        """float32[tokens, width] of the embedding, and of the head where it is not tied to it."""
        return list(self._rows)

    def values(self) -> list[torch.Tensor]:
        """Copies of the rows."""
        return [rows.detach().clone() for rows in self._rows]

    def put(self, values: list[torch.Tensor]) -> None:
        """Write the rows."""
        with torch.no_grad():
            for rows, value in zip(self._rows, values, strict=True):
                rows.copy_(value)

    def _embed(self, module: nn.Module, inputs: tuple[torch.Tensor], out: torch.Tensor) -> torch.Tensor:
        said = inputs[0]
        own = self._rows[0].to(out.dtype)[(said - self._low).clamp(0, self._high - self._low - 1)]
        return torch.where(((said >= self._low) & (said < self._high))[..., None], own, out)

    def _score(self, module: nn.Module, inputs: tuple[torch.Tensor], out: torch.Tensor) -> torch.Tensor:
        own = nn.functional.linear(inputs[0], self._rows[-1].to(out.dtype))
        return torch.cat([out[..., : self._low], own, out[..., self._high :]], -1)


@contextmanager
def recomputed_activations(model: Any, wanted: bool) -> Iterator[None]:
    """Inside it layers keep no activations and compute them again in the backward pass, if `wanted`; dropout stays off.

    Layers do so when their own `training` is set; with a cache they could not, so it is set for the update alone.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)] if wanted else []
    for layer in layers:
        layer.gradient_checkpointing = layer.training = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            layer.gradient_checkpointing = layer.training = False


def vision_parameters(model: Any) -> set[str]:
    """Names of the parameters of the vision tower, its connector aside."""
    return {
        name
        for name, _ in model.named_parameters()
        if any(part in name for part in ("visual.", "vision_model.", "vision_tower.")) and "merger" not in name
    }


def language_linears(model: Any) -> list[str]:
    """Names of the linear layers of the language model, the head aside."""
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and any(part in name for part in ("language_model", "text_model"))
        and "lm_head" not in name
        and "vision" not in name
    ]
