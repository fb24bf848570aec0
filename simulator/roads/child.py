"""Run a function in a child process, because CARLA's map parser can take the whole process down on bad input.

The function is named as `package.module:function`, takes and returns a dict of numpy arrays, JSON-able scalars, strings
and lists. Nothing is pickled: arrays travel as `.npz`, the rest as JSON.
"""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from simulator.errors import MapError

Payload = dict[str, Any]


def call_in_child(function: str, payload: Payload, *, what: str, timeout: float = 300.0) -> Payload:
    """Call `function(payload)` in a fresh interpreter and return what it returns.

    Args:
        function: `package.module:name` of a function from Payload to Payload.
        payload: arrays, numbers, strings, lists, dicts.
        what: how to name the input in an error, such as the map's file.
        timeout: seconds.

    Raises:
        MapError: when the child crashes, raises, or takes longer than `timeout`.
    """
    with tempfile.TemporaryDirectory(prefix="routegym-") as folder:
        write_payload(Path(folder) / "in", payload)
        command = [sys.executable, "-m", "simulator.roads.child", function, folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=_project_root())
        except subprocess.TimeoutExpired:
            raise MapError(f"{what}: CARLA's map parser did not finish within {timeout:.0f} s") from None
        if done.returncode != 0:
            raise MapError(f"{what}: CARLA's map parser failed ({_how(done.returncode)}): {_last_line(done.stderr)}")
        return read_payload(Path(folder) / "out")


def write_payload(stem: Path, payload: Payload) -> None:
    """Write `stem.npz` and `stem.json`."""
    arrays: dict[str, Any] = {k: v for k, v in payload.items() if isinstance(v, np.ndarray)}
    np.savez(stem.with_suffix(".npz"), **arrays)
    rest = {k: v for k, v in payload.items() if not isinstance(v, np.ndarray)}
    stem.with_suffix(".json").write_text(json.dumps(rest), encoding="utf-8")


def read_payload(stem: Path) -> Payload:
    """Read what `write_payload` wrote."""
    payload: Payload = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    with np.load(stem.with_suffix(".npz"), allow_pickle=False) as arrays:
        payload.update({name: arrays[name] for name in arrays.files})
    return payload


def _project_root() -> Path:
    return Path(__file__).resolve().parents[2]


def _how(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "no message"


if __name__ == "__main__":
    module_name, function_name = sys.argv[1].split(":")
    base = Path(sys.argv[2])
    result = getattr(importlib.import_module(module_name), function_name)(read_payload(base / "in"))
    write_payload(base / "out", result)
