"""The container files: they lint, their schemas hold, and the steps in them install a RouteGym that drives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
DOCKERFILES = sorted((ROOT / "docker").glob("*Dockerfile"))


def run(*command: object, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=ROOT, **more)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_a_dockerfile_lints(file: Path):
    done = run(BIN / "hadolint", file)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.name)
def test_what_a_dockerfile_runs_is_in_scripts_that_are_there(file: Path):
    steps = re.findall(r"^RUN (.*)$", file.read_text(), re.M)
    assert steps
    for step in " && ".join(steps).split(" && "):
        script = ROOT / step.split()[0]
        assert os.access(script, os.X_OK), script
        assert run("bash", "-n", script).returncode == 0


@pytest.mark.parametrize(
    ("schema", "file"),
    [("compose-spec", "docker/compose.yaml"), ("github-workflows", ".github/workflows/agent.yml")],
    ids=["compose", "workflow"],
)
def test_yaml_files_keep_to_their_schema(schema: str, file: str):
    done = run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", file)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif("ROUTEGYM_TEST_INSTALL" not in os.environ, reason="minutes, and a package index; see docs")
def test_the_install_steps_make_an_environment_that_drives(tmp_path: Path):
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PYTHON": sys.executable,
        "WARM": "0",
    }
    done = run(ROOT / "docker" / "install.sh", tmp_path / "venv", env=environment)
    assert done.returncode == 0, done.stderr
    route = ("--routes", "smoke", "--route-ids", "101")
    command = ("run_eval.py", *route, "--fail-under", "50", "--out", tmp_path / "run")
    done = run(tmp_path / "venv" / "bin" / "python", *command, env=environment)
    assert done.returncode == 0, done.stderr
