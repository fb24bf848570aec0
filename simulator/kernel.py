"""The one decorator for numeric kernels, and where their compiled code is kept.

Numba's disk cache notices a change in the file of a kernel, but not in the files of the kernels that it calls. So the
cache folder carries a fingerprint of all kernel sources: any change leads to a fresh folder, never to
stale machine code.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

_KERNEL_PACKAGES = ("simulator", "scenarios", "leaderboard_adapters", "envs", "agents")


def cache_root() -> Path:
    """Folder for everything that can be made again: compiled kernels, compiled maps, traced routes.

    `ROUTEGYM_CACHE` overrides the default, `$XDG_CACHE_HOME/routegym` or `~/.cache/routegym`.
    """
    if override := os.environ.get("ROUTEGYM_CACHE"):
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "routegym"


def _sources_fingerprint() -> str:
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256(f"{numba.__version__}".encode())
    for package in _KERNEL_PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            text = path.read_bytes()
            if b"kernel\n" in text or path.name in ("state.py", "network.py", "kernel.py"):
                digest.update(text)
    return digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = str(cache_root() / "kernels" / _sources_fingerprint())  # type: ignore[attr-defined]


def kernel(function: F) -> F:
    """Compile a scalar function over arrays: cached on disk, without the GIL, same bits on every run (no fast-math)."""
    dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    resolve = dispatcher.get_call_template

    def resolve_by_type(args: Any, kws: Any) -> Any:
        # Numba would compile one version for every constant that a caller passes
        return resolve([types.unliteral(a) for a in args], {k: types.unliteral(v) for k, v in kws.items()})

    dispatcher.get_call_template = resolve_by_type  # type: ignore[method-assign]
    return cast(F, dispatcher)
