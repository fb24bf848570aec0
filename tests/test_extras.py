"""Commands that need an extra which is not installed say which, in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.extras import EXTRAS, install_hint

ROOT = Path(__file__).resolve().parent.parent
WITHOUT = f"""
import sys

class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS["train"]!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Gone())
sys.path.insert(0, {str(ROOT)!r})
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("run_train", ["ppo", "--out", "run"]),
        ("run_train", ["sft", "--tokens", "tokens", "--out", "run"]),
        ("run_train", ["grpo", "--policy", "policy", "--out", "run"]),
        ("agents.tokens.__main__", ["build", "--out", "tokens", "--kind", "commands"]),
        ("agents.vla.__main__", ["--base", "tiny:qwen2_5_vl", "--tokens", "tokens", "--out", "policy"]),
        ("agents.server", ["--agent", "token:policy"]),
    ],
)
def test_a_command_without_its_packages_names_the_extra(module: str, arguments: list[str], tmp_path: Path):
    run = f"{WITHOUT}\nfrom {module} import main\nsys.exit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("pip install 'routegym[train]'\n")
    assert done.stderr.count("\n") == 1


def test_what_belongs_to_no_extra_is_left_alone():
    assert install_hint(ImportError("no", name="torch.cuda")) == ": pip install 'routegym[train]'"
    assert install_hint(ImportError("no", name="nobody_knows")) == ""
    assert install_hint(ValueError("no")) == ""
