"""The one decorator for numeric kernels, and where their compiled code is kept.

Numba's disk cache notices a change in the file of a kernel, but not in the files of the kernels that it calls. So the
cache folder carries a fingerprint of everything that a kernel may be made of: a change there leads to a fresh folder,
never to stale machine code.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import types

F = TypeVar("F", bound=Callable[..., Any])

_IMPORT = re.compile(rb"^from ([\w.]+) import", re.MULTILINE)
#: Folders with kernels, lowest floor first. A kernel calls only kernels of its own floor and below.
_FLOORS = ("simulator", "scenarios", "leaderboard_adapters", "envs", "agents")


def cache_root() -> Path:
    """Folder for everything that can be made again: compiled kernels, compiled maps, traced routes.

    `ROUTEGYM_CACHE` overrides the default, `$XDG_CACHE_HOME/routegym` or `~/.cache/routegym`.
    """
    if override := os.environ.get("ROUTEGYM_CACHE"):
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "routegym"


@cache
def _sources() -> dict[str, tuple[bytes, list[str]]]:
    """Text and imported project modules of every module on the floors."""
    root = Path(__file__).resolve().parent.parent
    found = {}
    for package in _FLOORS:
        for path in sorted((root / package).rglob("*.py")):
            text = path.read_bytes()
            imported = [name.decode() for name in _IMPORT.findall(text)]
            found[".".join(path.relative_to(root).with_suffix("").parts)] = (text, imported)
    return found


@cache
def compiled_folder(floors: int = len(_FLOORS)) -> str:
    """Where compiled kernels of a floor are kept: named by what they and the kernels below them are made of.

    That is the text of all modules with kernels on these floors, and of all that those import.
    """
    sources = _sources()
    waiting = [n for n, (text, _) in sources.items() if n.partition(".")[0] in _FLOORS[:floors] and b"@kernel" in text]
    waiting.append("simulator.array_bundle")  # how kernels read arrays
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in sources and name not in seen:
            seen.add(name)
            waiting += sources[name][1]
    digest = hashlib.sha256(numba.__version__.encode())
    for name in sorted(seen):
        digest.update(name.encode() + sources[name][0])
    return str(cache_root() / "kernels" / digest.hexdigest()[:16])


def kernel(function: F) -> F:
    """Compile a scalar function over arrays: cached on disk, without the GIL, same bits on every run (no fast-math)."""
    return _compiled(function)


def kernel_on_loan(function: F) -> F:
    """A `kernel` that makes no arrays and counts no references to those that it is lent.

    Numba counts, with a locked instruction for every array, where a kernel calls another or takes in an `inlined` one:
    in the inner loops of pictures that costs more than the work itself.
    """
    return _compiled(function, _nrt=False)


def _compiled(function: F, **options: Any) -> F:
    if "NUMBA_CACHE_DIR" not in os.environ:
        package = function.__module__.partition(".")[0]
        floors = _FLOORS.index(package) + 1 if package in _FLOORS else len(_FLOORS)
        numba.config.CACHE_DIR = compiled_folder(floors)  # type: ignore[attr-defined]
    dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    resolve = dispatcher.get_call_template

    def resolve_by_type(args: Any, kws: Any) -> Any:
        # Numba would compile one version for every constant that a caller passes
        return resolve([types.unliteral(a) for a in args], {k: types.unliteral(v) for k, v in kws.items()})

    dispatcher.get_call_template = resolve_by_type  # type: ignore[method-assign]
    return cast(F, dispatcher)


def inlined(function: F) -> F:
    """For small helpers of inner loops: their text becomes part of the kernels that call them.

    A call between kernels passes every array word by word and counts a reference to it, which costs more than such a
    helper's work.
    """
    return cast(F, numba.njit(inline="always", error_model="numpy")(function))
