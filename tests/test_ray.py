"""`run_eval.py --ray`: the same pool and ledger on a Ray cluster, which is real: node processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_drive
import pytest
from test_run_eval import drive, last_json, write_routes

from evaluation.ledger import Ledger
from evaluation.options import RunOptions, parse_options
from evaluation.ray_workers import RouteActor
from evaluation.tasks import CRASHED
from simulator.errors import EvaluationError

FAST = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


SIZE = {"num_cpus": 1, "object_store_memory": 80_000_000}  # room for one worker


@pytest.fixture(scope="module")
def head() -> Iterator[Any]:
    """A cluster of one node."""
    pytest.importorskip("ray", reason="needs Ray: pip install 'routegym[scale]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={**SIZE, "_system_config": FAST})
    yield made
    made.shutdown()


@pytest.fixture
def cluster(head: Any) -> Any:
    """The head and a second node that is alive."""
    for node in list(head.worker_nodes):
        if not node.remaining_processes_alive():
            head.remove_node(node, allow_graceful=False)
    if not head.worker_nodes:
        head.add_node(**SIZE)
    return head


def test_results_are_those_of_local_processes_and_failures_are_told_alike(cluster, tmp_path: Path, capsys):
    routes = write_routes(tmp_path / "four.xml", dict.fromkeys("4312", "MiniTown"))
    told = []
    for name, extra in (("here", ()), ("ray", ("--ray", cluster.address))):
        out = tmp_path / name
        agent = "fake:bump@3,refuse@1,bug@2,chatter@4"
        drive("--routes", routes, "--agent", agent, "--workers", "2", "--out", out, "--json", *extra)
        scores = last_json(capsys)
        told.append({key: scores[key] for key in ("driving_score", "success_rate", "routes")})
        with Ledger(out) as ledger:
            told[-1]["reasons"] = [attempt.reason for attempt in ledger.attempts()]
        assert "a print from an agent" in "".join(path.read_text() for path in (out / "logs").glob("worker-*.log"))
    assert told[0] == told[1]


def test_a_hanging_route_is_ended_on_ray_too(cluster, tmp_path: Path):
    routes = write_routes(tmp_path / "two.xml", dict.fromkeys("12", "MiniTown"))
    out = tmp_path / "out"
    drive("--routes", routes, "--agent", "fake:hang@1", "--timeout", "2", "--out", out, "--ray", cluster.address)
    with Ledger(out) as ledger:
        last = {route_id: attempt for (route_id, _), attempt in ledger.last_attempts().items()}
    assert "no progress for 2 s" in last["1"].reason
    assert last["2"].driven
    assert "drive_route" in (out / "logs" / "worker-1.log").read_text()


def test_a_node_that_dies_costs_an_attempt_and_no_route(cluster, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("ROUTEGYM_FAKE_MARKS", str(tmp_path))
    monkeypatch.setenv("ROUTEGYM_FAKE_HEAD", cluster.head_node.node_id)
    ids = "123456"
    routes = write_routes(tmp_path / "six.xml", dict.fromkeys(ids, "MiniTown"))
    deeds = ",".join(f"node@{route_id}" for route_id in ids)
    arguments = ["--routes", routes, "--agent", f"fake:{deeds}", "--workers", "2", "--out", tmp_path / "out", "--json"]
    assert drive(*arguments, "--ray", cluster.address) == 0
    scores = last_json(capsys)
    assert scores["complete"] is True
    assert scores["success_rate"] == 100.0
    with Ledger(tmp_path / "out") as ledger:
        attempts = ledger.attempts()
    (lost,) = [attempt for attempt in attempts if attempt.reason]
    assert lost.result.status == CRASHED
    assert "Ray" in lost.reason
    assert sorted(attempt.route_id for attempt in attempts if attempt.driven) == list(ids)
    (driven,) = [a for a in attempts if a.route_id == lost.route_id and a.driven]
    assert driven.number == 2
    assert driven.result.notes[0].startswith("attempt 1 failed: its Ray actor died")


def test_a_machine_that_does_not_see_the_run_folder_says_so(tmp_path: Path):
    missing = str(tmp_path / "elsewhere")
    with pytest.raises(EvaluationError, match=r"has no .*elsewhere; all machines of the cluster need"):
        RouteActor().begin(fake_drive.NAME, 0.0, "", [missing])


def test_without_ray_the_message_names_the_extra(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    routes = write_routes(tmp_path / "one.xml", {"1": "MiniTown"})
    assert drive("--routes", routes, "--agent", "fake", "--out", tmp_path / "out", "--ray") == 2
    assert "pip install 'routegym[scale]'" in capsys.readouterr().err


@pytest.mark.parametrize("other", [["--backend", "carla"], ["--official"]], ids=" ".join)
def test_worlds_of_others_are_not_spread(other, tmp_path: Path, capsys):
    assert drive("--ray", "--out", tmp_path / "out", *other) == 2
    assert "--ray spreads drives in the embedded town" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ([], ""),
        (["--ray"], "auto"),
        (["--ray", "--workers", "2"], "auto"),
        (["--ray", "10.0.0.1:6379", "--workers", "2"], "10.0.0.1:6379"),
        (["run", "--workers", "2", "--ray"], "auto"),
    ],
    ids=" ".join,
)
def test_the_address_may_be_left_out(arguments: list[str], address: str):
    options = parse_options(arguments)
    assert isinstance(options, RunOptions)
    assert options.scale.ray == address
