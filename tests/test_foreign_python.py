"""Files that run in the Python of others: old grammar, no import of ours, and what they put back or stand in for."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import leaderboard_adapters

ADAPTERS = Path(leaderboard_adapters.__file__).parent
FILES = [
    ADAPTERS / "official_agent.py",
    ADAPTERS / "agent_child.py",
    ADAPTERS / "modern_python" / "sitecustomize.py",
    *sorted((ADAPTERS / "compatible_leaderboard").rglob("*.py")),
]
OURS = {"simulator", "scenarios", "leaderboard_adapters", "envs", "evaluation"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ADAPTERS)))
def test_the_grammar_is_that_of_python_3_7_and_nothing_of_ours_is_imported(file: Path):
    tree = ast.parse(file.read_text(), feature_version=(3, 7))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not {str(name).split(".")[0] for name in imported} & OURS


def run(code: str, *search: Path) -> object:
    """What code prints as JSON, in a fresh Python with these folders on its search path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, search))}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=ADAPTERS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_old_calls_work_on_a_new_python():
    code = """
import collections, json
from xml.etree import ElementTree
root = ElementTree.fromstring('<case id="7"><weather cloudiness="5" fog="0"/></case>')
print(json.dumps([
    issubclass(dict, collections.Mapping), [child.tag for child in root.getchildren()], root.items()[0][1],
    root[0].keys()[1], ElementTree.tostring(root).decode(),
]))
"""
    assert run(code, ADAPTERS / "modern_python") == [
        *(True, ["weather"], "7", "fog"),
        '<case id="7"><weather cloudiness="5" fog="0" /></case>',
    ]


def test_the_base_class_thins_a_plan_out_by_the_rule():
    """Points 10 m apart: ends, lane changes, changed options, and one after more than 50 m; the point after a lane
    change is not kept for its option (docs/bench2drive.md)."""
    code = """
import json
import carla
from agents.navigation.local_planner import RoadOption
from leaderboard.autoagents.autonomous_agent import AutonomousAgent

class Agent(AutonomousAgent):
    def get_hero(self): self.hero_actor = None

options = [4] * 8 + [5, 5] + [4] * 3 + [2, 2] + [4] * 2
places = [carla.Transform(carla.Location(10.0 * i, 0.0, 0.0)) for i in range(len(options))]
agent = Agent('localhost', 2000)
agent.set_global_plan([({'lat': i}, o) for i, o in enumerate(options)], list(zip(places, map(RoadOption, options))))
print(json.dumps([point['lat'] for point, _ in agent._global_plan]))
"""
    assert run(code, ADAPTERS / "compatible_leaderboard") == [0, 6, 8, 9, 13, 15, 16]
