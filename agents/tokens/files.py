"""Action tokens on disk: a folder with `tokens.safetensors`, and `manifest.json` to say what they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from agents.tokens.base import ActionTokens
from agents.tokens.bins import CoordinateBins
from agents.tokens.codebook import SegmentCodebook
from agents.tokens.commands import CommandTokens
from agents.tokens.grid import ControlGrid
from simulator.errors import AgentError

VERSION = 1
ARRAYS, MANIFEST = "tokens.safetensors", "manifest.json"


def save_tokens(tokens: ActionTokens, folder: str | Path, built_from: dict[str, Any] | None = None) -> Path:
    """Write the folder and return it. `built_from`: anything that tells where the tokens come from, as JSON."""
    from safetensors.numpy import save

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays, settings = tokens.parts()
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    (folder / ARRAYS).write_bytes(content)
    manifest = {
        "format": "routegym-action-tokens",
        "version": VERSION,
        "kind": tokens.kind,
        "size": tokens.size,
        "length": tokens.length,
        "waypoints": tokens.waypoints,
        "interval": tokens.interval,
        "settings": settings,
        "sha256": hashlib.sha256(content).hexdigest(),
        "built_from": built_from or {},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return folder


def load_tokens(folder: str | Path) -> ActionTokens:
    """Read what `save_tokens` wrote.

    Raises:
        AgentError: when the folder holds no action tokens, or others than its manifest says.
    """
    folder = Path(folder)
    try:
        from safetensors.numpy import load
    except ImportError as error:
        raise AgentError("reading action tokens needs safetensors: pip install routegym[train]") from error
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        content = (folder / ARRAYS).read_bytes()
    except (OSError, ValueError) as error:
        raise AgentError(f"{folder} holds no action tokens ({MANIFEST}, {ARRAYS}): {error}") from error
    if manifest.get("format") != "routegym-action-tokens" or manifest.get("version") != VERSION:
        raise AgentError(f"{folder / MANIFEST}: expected version {VERSION} of routegym-action-tokens")
    if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
        raise AgentError(f"{folder / ARRAYS} is not the file that {MANIFEST} describes (SHA-256 differs)")
    arrays = load(content)
    settings = manifest["settings"]
    kind = manifest["kind"]
    if kind in ("k-means", "k-disk"):
        return SegmentCodebook(arrays["segments"], kind=kind, **settings)
    if kind == "bins":
        return CoordinateBins(arrays["low"], arrays["high"], **settings)
    if kind == "grid":
        return ControlGrid(arrays["steers"], arrays["accelerations"], **settings)
    if kind == CommandTokens.kind:
        return CommandTokens()
    known = "k-means, k-disk, bins, grid, commands"
    raise AgentError(f"{folder / MANIFEST}: no action tokens are of kind {kind!r}; known: {known}")
