"""Kernels are compiled once, before the workers start, and that is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.slow
def test_after_warming_up_a_drive_compiles_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with start(cache, "-c", "from envs.warmup import is_warm, warm_up; warm_up(); assert is_warm()") as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    compiled = sorted(cache.rglob("*.nbc"))
    assert len(compiled) > 20
    for agent in ("expert", "autopilot"):
        with start(cache, *RUN[:-1], agent, "--out", str(tmp_path / agent)) as process:
            _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert "compiling" not in errors
    assert sorted(cache.rglob("*.nbc")) == compiled


@pytest.mark.slow
def test_sensors_are_compiled_by_name_and_then_compile_nothing(tmp_path: Path) -> None:
    compiled = []
    for _ in range(2):
        with start(tmp_path, "-m", "envs.warmup", "sensors") as process:
            _, errors = process.communicate()
        assert process.returncode == 0, errors
        compiled.append(sorted(path.name for path in tmp_path.rglob("*.nbc")))
    assert any(name.startswith("raster.draw_view") for name in compiled[0])
    assert compiled[0] == compiled[1]
    assert not list(tmp_path.rglob("warm-*"))  # a drive needs other kernels
