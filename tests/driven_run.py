"""A run folder that several tests look at: two smoke routes, driven by an agent that does not look."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import run_eval

_kept: list[TemporaryDirectory] = []  # removed when the tests end


@lru_cache(maxsize=1)
def driven_run() -> Path:
    """The folder, not to be changed: 110 with a collision, 111 without yielding."""
    _kept.append(TemporaryDirectory(prefix="routegym-run-"))
    out = Path(_kept[0].name) / "blind"
    options = ["--routes", "smoke", "--route-ids", "110,111", "--agent", "constant:0.5", "--out", str(out)]
    assert run_eval.main(options) == 0
    return out
