"""The user's own copy of the official Bench2Drive code, and the environment in which it runs: never in this process.

Its Python may be another version, and it imports a top-level package `agents` (CARLA's), so nothing of this package is
on its search path and nothing of it on ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import EvaluationError

EVALUATOR = Path("leaderboard", "leaderboard", "leaderboard_evaluator.py")
_WEATHER = Path("leaderboard", "data", "weather.xml")  # read relative to the working directory
_SCORING = (Path("leaderboard", "leaderboard"), Path("scenario_runner", "srunner"))

#: Newer Pythons lack what code of Python 3.7 calls; the sitecustomize in here puts it back.
_SHIMS = Path(__file__).resolve().parent.parent / "leaderboard_adapters" / "modern_python"

#: Variables of our own interpreter that another one must not see.
_OURS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONSAFEPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")

_PROBE = """
import importlib, json, sys
answer = {"python": list(sys.version_info[:2]), "missing": [], "carla": ""}
names = sys.argv[1].split(",")
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        answer["missing"].append([name, "{}: {}".format(type(error).__name__, error)])
try:
    try:
        from importlib import metadata
        answer["carla"] = metadata.version("carla")
    except ImportError:  # Python 3.7
        import pkg_resources
        answer["carla"] = pkg_resources.get_distribution("carla").version
except Exception as error:
    answer["missing"].append(["carla (distribution)", "{}: {}".format(type(error).__name__, error)])
print("\\n" + json.dumps(answer))
"""

_NEEDED = (
    "carla",
    "agents.navigation.global_route_planner",
    "srunner.scenariomanager.carla_data_provider",
    "leaderboard.leaderboard_evaluator",
)

_PACKAGES = (
    "carla==0.9.15 py_trees==0.8.3 networkx shapely ephem dictor tabulate xmlschema simple-watchdog-timer "
    "antlr4-python3-runtime==4.10 pexpect requests opencv-python-headless transforms3d psutil six matplotlib graphviz "
    "'setuptools<81'"
)


@dataclass(frozen=True)
class OfficialCheckout:
    """A checkout that runs: folder, interpreter, search path, and what they were found to be."""

    root: Path
    python: str
    search_path: tuple[str, ...]
    python_version: tuple[int, int] = (0, 0)
    carla_version: str = ""
    fingerprint: str = ""  # of the code that drives and scores: 12 digits of a SHA-256

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The whole environment of a child that runs official code."""
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(self.search_path),
            "PYTHONUNBUFFERED": "1",
            "SCENARIO_RUNNER_ROOT": str(self.root / "scenario_runner"),
            "LEADERBOARD_ROOT": str(self.root / "leaderboard"),
            "IS_BENCH2DRIVE": "True",
            "CHALLENGE_TRACK_CODENAME": "SENSORS",
            **(more or {}),
        }


def open_checkout(
    root: Path, *, python: str = "", carla_root: Path | None = None, python_api: Path | None = None
) -> OfficialCheckout:
    """Check that a copy of Bench2Drive can run, by importing its evaluator in a child process.

    Args:
        root: folder with `leaderboard` and `scenario_runner`.
        python: interpreter for it; this one by default.
        carla_root: CARLA installation, whose PythonAPI is used.
        python_api: folder that holds CARLA's package `agents`, where `carla_root` has none.

    Raises:
        EvaluationError: naming what is missing and how to get it.
    """
    root = root.resolve()
    for needed in (EVALUATOR, _WEATHER, Path("scenario_runner", "srunner")):
        if not (root / needed).exists():
            raise EvaluationError(
                f"--bench2drive-root {root}: there is no {needed}; name a checkout of Thinklab-SJTU/Bench2Drive, the "
                "folder that holds leaderboard and scenario_runner"
            )
    python = python or sys.executable
    search = _search_path(root, carla_root, python_api)
    version, carla, missing = _probe(python, search, root)
    eggs = _eggs(carla_root, version)
    if missing and eggs:
        search = (*search, *eggs)
        version, carla, missing = _probe(python, search, root)
    if missing:
        raise EvaluationError(_what_is_missing(python, version, missing))
    return OfficialCheckout(root, python, search, version, carla, fingerprint(root))


def fingerprint(root: Path) -> str:
    """12 hexadecimal digits that change with any Python file of the evaluator or the scenario runner."""
    digest = hashlib.sha256()
    for folder in _SCORING:
        for file in sorted((root / folder).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _search_path(root: Path, carla_root: Path | None, python_api: Path | None) -> tuple[str, ...]:
    found = [_SHIMS]
    if python_api is not None:
        if not (python_api / "agents" / "navigation").is_dir():
            raise EvaluationError(
                f"--carla-python-api {python_api}: there is no agents/navigation; name the folder PythonAPI/carla of "
                "CARLA, which holds the package `agents`"
            )
        found.append(python_api.resolve())
    if carla_root is not None:
        api = carla_root.resolve() / "PythonAPI"
        found += [api / "carla", api]
    found += [root / "leaderboard", root / "leaderboard" / "team_code", root / "scenario_runner"]
    return tuple(str(path) for path in found)


def _eggs(carla_root: Path | None, version: tuple[int, int]) -> tuple[str, ...]:
    """CARLA's client as older installations bring it, for a Python version."""
    if carla_root is None:
        return ()
    pattern = f"PythonAPI/carla/dist/carla-*-py{version[0]}.{version[1]}-linux-x86_64.egg"
    return tuple(str(egg) for egg in sorted(carla_root.resolve().glob(pattern)))


def _probe(python: str, search: tuple[str, ...], root: Path) -> tuple[tuple[int, int], str, list[tuple[str, str]]]:
    """Version of an interpreter, of its `carla`, and which modules it cannot import, with the reason."""
    checkout = OfficialCheckout(root, python, search)
    command = [python, "-c", _PROBE, ",".join(_NEEDED)]
    try:
        done = subprocess.run(
            command, env=checkout.environment(), cwd=checkout.root, capture_output=True, text=True, timeout=300
        )
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except OSError as error:
        raise EvaluationError(f"--official-python {python}: {error.strerror}; name a Python interpreter") from None
    except (ValueError, subprocess.TimeoutExpired) as error:
        raise EvaluationError(f"--official-python {python} cannot be used: {error}") from None
    missing = [(name, reason) for name, reason in answer["missing"]]
    return (answer["python"][0], answer["python"][1]), answer["carla"], missing


def _what_is_missing(python: str, version: tuple[int, int], missing: list[tuple[str, str]]) -> str:
    lines = [f"the official evaluator cannot be imported by {python} (Python {version[0]}.{version[1]}):"]
    lines += [f"  {name}: {reason}" for name, reason in missing]
    if any("'agents" in reason for _, reason in missing):
        lines.append("CARLA's package `agents` is not on PyPI. Name the CARLA installation with --carla-root, or the")
        lines.append("folder PythonAPI/carla of a CARLA download or checkout with --carla-python-api.")
    lines.append("What it needs, in an environment of its own (Python 3.7 or 3.8; name it with --official-python):")
    lines.append(f"  pip install {_PACKAGES}")
    return "\n".join(lines)
