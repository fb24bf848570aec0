"""Kernels are compiled once, before the workers start, and that is said."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import run_eval

ROOT = Path(run_eval.__file__).parent
RUN = ["run_eval.py", "--routes", "smoke", "--route-ids", "104", "--agent", "expert"]


def start(cache: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "ROUTEGYM_CACHE": str(cache)}
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def test_an_interrupt_while_compiling_leaves_a_run_to_resume(tmp_path: Path) -> None:
    with start(tmp_path / "cache", *RUN, "--out", str(tmp_path / "out")) as process:
        assert process.stderr is not None
        seen = [process.stderr.readline() for _ in range(2)]
        assert "compiling kernels, once per version" in seen[1]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Interrupted with 0 of 1 routes done" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "cache").rglob("warm-*"))


def test_a_cache_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with start(tmp_path / "file" / "cache", *RUN, "--out", str(tmp_path / "out")) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "error: the cache of compiled kernels cannot be written" in errors
    assert "ROUTEGYM_CACHE" in errors


# Numba tells, if asked, which compiled kernels a process loads from the cache and which it adds. So there is no need to
# compile everything into an empty cache, which takes minutes, to see that a drive finds all of its kernels.


def kernels_used(*arguments: str, logs: Path | None = None) -> tuple[set[str], set[str]]:
    """Files of compiled kernels that a command and its children load, and those that they write."""
    environment = {**os.environ, "NUMBA_DEBUG_CACHE": "1"}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    told = done.stdout + "".join(path.read_text() for path in logs.glob("worker-*.log")) if logs else done.stdout
    found = re.findall(r"\[cache\] data (loaded from|saved to) '.*/([^/]+)/([^/]+\.nbc)'", told)
    loaded = {f"{folder}/{name}" for how, folder, name in found if how == "loaded from"}
    return loaded, {f"{folder}/{name}" for how, folder, name in found} - loaded


def test_a_drive_needs_no_kernel_that_warming_up_does_not_compile(tmp_path: Path) -> None:
    loaded, saved = kernels_used("-c", "from envs.warmup import is_warm, warm_up; warm_up(); assert is_warm()")
    warm = loaded | saved
    assert len(warm) > 10
    for agent in ("expert", "autopilot"):
        out = tmp_path / agent
        used, added = kernels_used(*RUN[:-1], agent, "--out", str(out), logs=out / "logs")
        assert len(used) > 5
        assert used <= warm
        assert not added


def test_sensors_are_compiled_by_name_and_then_compile_nothing() -> None:
    first, second = (kernels_used("-m", "envs.warmup", "sensors") for _ in range(2))
    assert any(name.rpartition("/")[2].startswith("raster.draw_view") for name in second[0])
    assert second[0] == first[0] | first[1]
    assert not second[1]
