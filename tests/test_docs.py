"""The documentation does what it says: tagged commands run, options exist, links lead somewhere.

A fenced `bash` or `python` block runs when the line before it is `<!-- test -->`; with `<!-- test: official_data -->`
it runs where that data is. Blocks run in an empty folder, in which `run_eval.py` and
`run_train.py` stand.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.options import BackendOptions, OfficialOptions, RunOptions, ScaleOptions
from rl.config import RolloutOptions

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^<!-- test(?:: (?P<needs>\w+))? -->\n+```(?P<language>\w+)\n(?P<text>.*?)^```", re.M | re.S)


def blocks() -> list:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start("text")) + 1
            marks = [pytest.mark.official_data] if match["needs"] == "official_data" else []
            name = f"{page.name}:{line}"
            found.append(pytest.param(match["language"], match["text"], match["needs"], id=name, marks=marks))
    return found


def test_the_pages_have_blocks_to_run():
    assert len(blocks()) >= 2


@pytest.mark.parametrize(("language", "text", "needs"), blocks())
def test_a_tagged_block_runs(language: str, text: str, needs: str | None, tmp_path: Path, request):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if needs == "official_data":
        environment["ROUTEGYM_DATA"] = str(request.getfixturevalue("official_data"))
    for program in ("run_eval.py", "run_train.py"):
        (tmp_path / program).symlink_to(ROOT / program)
    command = {"bash": ["bash", "-euo", "pipefail", "-c", text], "python": [sys.executable, "-c", text]}[language]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert dead == []


def test_the_readme_has_every_option_and_no_other():
    table = re.findall(r"^\| (`--.*?) \|", (ROOT / "README.md").read_text(encoding="utf-8").replace("\\|", "/"), re.M)
    told = {name for row in table for name in re.findall(r"--([a-z-]+)", row)}
    assert told == option_names(RunOptions)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("carla_backend.md", BackendOptions),
        ("official.md", OfficialOptions),
        ("scale.md", ScaleOptions),
        ("scale.md", RolloutOptions),
    ],
    ids=str,
)
def test_a_page_has_every_option_of_its_subject(name: str, options: type):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8").replace("\\|", "/")
    rows = re.findall(r"^\| (`--.*?) \|", page, re.M)
    assert option_names(options) <= {option for row in rows for option in re.findall(r"--([a-z0-9-]+)", row)}


def option_names(options: type) -> set[str]:
    """Options of a dataclass, but for those of dataclasses in it, which have pages of their own."""
    fields = dataclasses.fields(options)
    return {field.name.replace("_", "-") for field in fields if not dataclasses.is_dataclass(field.default)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_commands_of_the_pages_exist(page: Path):
    targets = set(re.findall(r"^make (\w+)", page.read_text(encoding="utf-8"), re.M))
    for target in sorted(targets):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    if page.name == "README.md":
        assert targets == {"eval", "test"}


def test_the_glossary_has_one_row_a_word():
    rows = re.findall(r"^\| ([a-z ]+?) \|", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.M)
    words = [row for row in rows if row != "word"]
    assert len(words) > 20
    assert len(words) == len(set(words))
