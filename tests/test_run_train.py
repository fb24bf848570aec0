"""`run_train.py`: from action tokens to a policy that imitates, learns online, and is evaluated with its costs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

import run_eval
import run_train
from agents.tokens.__main__ import main as tokens_main
from agents.tokens.files import save_tokens
from agents.tokens.grid import default_grid


@pytest.fixture(scope="module")
def imitated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an imitation run over two routes."""
    folder = tmp_path_factory.mktemp("imitation")
    save_tokens(default_grid(), folder / "tokens")
    code = run_train.main(
        [
            *("sft", "--tokens", str(folder / "tokens"), "--out", str(folder / "sft"), "--routes", "smoke"),
            *("--every", "6", "--width", "16", "--layers", "1", "--heads", "2", "--measure", "1"),
            *("--train.epochs", "2", "--train.batch", "64"),
        ]
    )
    assert code == 0
    return folder / "sft"


def grpo(imitated: Path, out: Path, *more: str) -> int:
    return run_train.main(
        [
            *("grpo", "dr_grpo", "--policy", str(imitated / "policy"), "--out", str(out), "--routes", "smoke"),
            *("--every", "6", "--measure", "1", *more),
        ]
    )


SMALL = ("--group.groups", "1", "--group.size", "2", "--group.max-seconds", "2", "--evaluate-every", "1")


def test_imitation_leaves_a_dataset_a_policy_and_measures(imitated: Path):
    lines = [json.loads(line) for line in (imitated / "metrics.jsonl").read_text().splitlines()]
    assert lines[1]["train_nll"] < lines[0]["train_nll"]
    assert 0.0 <= lines[-1]["driving_score"] <= 100.0
    assert (imitated / "data" / "index.json").exists()
    assert (imitated / "policy" / "model.safetensors").exists()


def test_an_online_run_is_saved_and_goes_on(imitated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "run"
    assert grpo(imitated, out, *SMALL, "--updates", "1") == 0
    assert grpo(imitated, out, *SMALL, "--updates", "1") == 2
    assert "already holds a run" in capsys.readouterr().err
    assert grpo(imitated, out, "--resume", "--updates", "2") == 0
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["update"] for line in lines] == [0.0, 1.0, 2.0]
    assert "held_out_driving_score_low" in lines[0]
    assert {"reward_completion", "zero_variance_share", "total_failure_ratio", "simulate_s"} <= lines[1].keys()
    settings = json.loads((out / "settings.json").read_text())
    assert settings["recipe"] == "dr_grpo"
    assert settings["loss"]["max_tokens"] == 1
    assert (out / "policy" / "policy.json").exists()


def test_an_interrupted_run_says_how_it_goes_on(imitated: Path, tmp_path: Path, capsys, monkeypatch):
    from rl.grpo import GrpoTrainer

    step = GrpoTrainer.step

    def interrupted(trainer: GrpoTrainer) -> dict[str, float]:
        if trainer.update == stop:
            raise KeyboardInterrupt
        return step(trainer)

    monkeypatch.setattr(GrpoTrainer, "step", interrupted)
    for stop, message in ((0, "holds no checkpoint yet"), (1, "--resume goes on from")):
        out = tmp_path / f"run-{stop}"
        assert grpo(imitated, out, *SMALL, "--checkpoint-every", "1", "--updates", "2") == 130
        told = capsys.readouterr()
        assert message in told.err
    assert " 50%" in told.out


def test_a_run_begins_with_the_settings_of_another(imitated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    few = ("--group.groups", "2", "--group.horizon", "20", "--group.stagger", "0", "--minibatch", "8", "--updates", "1")
    started = ["grpo", "--policy", str(imitated / "policy"), "--routes", "smoke", "--measure", "0"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert run_train.main([*started, "--out", str(first), "--like", "decision_groups", *few]) == 0
    settings = json.loads((first / "settings.json").read_text())
    assert settings["recipe"] == "dr_grpo"
    assert (settings["group"]["kind"], settings["group"]["size"], settings["group"]["horizon"]) == ("decision", 4, 20)
    assert run_train.main([*started, "--out", str(second), "--like", str(first / "settings.json")]) == 0
    assert json.loads((second / "settings.json").read_text()) == settings
    for like, more, message in (
        ("decison", (), "known: decision_groups"),
        ("episode_groups", ("gspo",), "is of recipe dr_grpo, not gspo"),
        (str(imitated / "metrics.jsonl"), (), "holds no settings"),
    ):
        arguments = ["grpo", *more, *started[1:], "--out", str(tmp_path / "no"), "--like", like]
        assert run_train.main(arguments) == 2
        assert message in capsys.readouterr().err


def test_settings_that_make_no_sense_are_refused_at_once(imitated: Path, tmp_path: Path, capsys):
    assert grpo(imitated, tmp_path / "run", *SMALL, "--loss.ratio", "none") == 2
    assert "recipe dr_grpo has loss.ratio token" in capsys.readouterr().err


def test_an_evaluation_of_a_policy_tells_what_deciding_cost(imitated: Path, tmp_path: Path, capsys):
    code = run_eval.main(
        [
            *("--routes", "smoke", "--route-ids", "101", "--agent", f"token:{imitated / 'policy'}"),
            *("--realtime", "--out", str(tmp_path / "run"), "--json"),
        ]
    )
    assert code == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["agent"].endswith("in real time")
    costs = document["inference"]
    assert costs["decisions"] > 0
    assert costs["format_failures"] == 0
    assert costs["parameters"] > 1000
    assert costs["latency_ms_p95"] >= costs["latency_ms_p50"] > 0.0
    assert document["routes"][0]["inference"]["decisions"] == costs["decisions"]
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["inference"] == costs
    assert run_eval.main(["report", str(tmp_path / "run"), "--html", str(tmp_path / "pages")]) == 0
    assert f"Inference: {costs['decisions']} decisions, p50" in (tmp_path / "pages" / "index.html").read_text()


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0), (["nonsense"], 2)])
def test_the_commands_are_listed(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    assert run_train.main(arguments) == code
    told = capsys.readouterr()
    assert "grpo" in told.out + told.err


def test_tokens_are_built_by_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["build", "--out", str(tmp_path), "--kind", "k-means", "--size", "40", "--length", "2"]
    assert tokens_main([*arguments, "--routes", "smoke", "--count", "2"]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["rides"] == 1
    assert built["held_out_rides"] == 1
    assert 0.0 < built["error"]["mean"] < 3.0
    assert tokens_main(["show", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == 40
    assert tokens_main(["show", str(tmp_path / "nothing")]) == 2
