"""Checkpoints of a GRPO run: weights, optimiser, random streams and sampler, so that a resumed run goes on bit by bit.

A checkpoint is a folder that is complete when its name has no `.part` any more.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file

from simulator.errors import TrainingError

VERSION = 2


def save_checkpoint(
    folder: Path,
    *,
    update: int,
    weights: dict[str, torch.Tensor],
    reference: dict[str, torch.Tensor],
    optimiser: torch.optim.Optimizer,
    draws: np.random.Generator,
    sampler: dict[str, np.ndarray],
    progress: dict[str, Any],
    value_optimiser: torch.optim.Optimizer | None = None,
) -> Path:
    """Write `folder/checkpoint-<update>` and remove those before it."""
    final = folder / f"checkpoint-{update:06d}"
    part = final.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(_plain(weights), part / "weights.safetensors")
    save_file(_plain(reference), part / "reference.safetensors")
    save_file(_moments(optimiser), part / "optimiser.safetensors")
    if value_optimiser is not None:
        save_file(_moments(value_optimiser), part / "value_optimiser.safetensors")
    save_arrays({name: np.ascontiguousarray(array) for name, array in sampler.items()}, part / "sampler.safetensors")
    about = {
        "format": "routegym-grpo-checkpoint",
        "version": VERSION,
        "update": update,
        "groups": optimiser.state_dict()["param_groups"],
        "value_groups": value_optimiser.state_dict()["param_groups"] if value_optimiser is not None else [],
        "draws": draws.bit_generator.state,
        "progress": progress,
    }
    (part / "state.json").write_text(json.dumps(about), encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    os.replace(part, final)
    for old in folder.glob("checkpoint-*"):
        if old != final:
            shutil.rmtree(old, ignore_errors=True)
    return final


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    found = sorted(path for path in folder.glob("checkpoint-*") if path.suffix != ".part")
    return found[-1] if found else None


def load_checkpoint(
    path: Path,
    optimiser: torch.optim.Optimizer,
    draws: np.random.Generator,
    value_optimiser: torch.optim.Optimizer | None = None,
) -> tuple[int, dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, np.ndarray], dict[str, Any]]:
    """Fill optimisers and draws; returns update, weights, reference, sampler, progress.

    Raises:
        TrainingError: when the folder holds no checkpoint that can be read.
    """
    try:
        about = json.loads((path / "state.json").read_text(encoding="utf-8"))
        if about.get("format") != "routegym-grpo-checkpoint" or about.get("version") != VERSION:
            raise TrainingError(f"{path / 'state.json'}: expected version {VERSION} of routegym-grpo-checkpoint")
        _load_moments(optimiser, path / "optimiser.safetensors", about["groups"])
        if value_optimiser is not None:
            _load_moments(value_optimiser, path / "value_optimiser.safetensors", about["value_groups"])
        draws.bit_generator.state = about["draws"]
        return (
            int(about["update"]),
            load_file(path / "weights.safetensors"),
            load_file(path / "reference.safetensors"),
            load_arrays(path / "sampler.safetensors"),
            about["progress"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} holds no checkpoint that can be read: {error}") from error


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    state = optimiser.state_dict()["state"]
    return _plain({f"{k}/{name}": value for k, entry in state.items() for name, value in entry.items()})


def _load_moments(optimiser: torch.optim.Optimizer, path: Path, groups: list[dict[str, Any]]) -> None:
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in load_file(path).items():
        number, _, moment = name.partition("/")
        moments.setdefault(int(number), {})[moment] = value
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Copies that share no memory, as the format wants them."""
    return {name: value.detach().clone().contiguous() for name, value in tensors.items()}
