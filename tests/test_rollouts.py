"""Rollouts by workers: the same bits whoever drives, whoever is lost, and clear words about it.

Workers are real: processes of this machine, and actors on a Ray cluster of two node processes.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

from rl.checkpoint import read_checkpoint  # noqa: E402
from rl.config import PpoConfig, RolloutOptions, on_any_machine  # noqa: E402
from rl.rollout_pool import PooledRollouts, ProcessWorkers, open_rollouts  # noqa: E402
from rl.rollout_workers import Order, ProcessWorker, RolloutDriver, Worker, WorkerLost  # noqa: E402
from rl.train import LAST, Training, train  # noqa: E402
from scenarios.suites import find_suite  # noqa: E402
from simulator.errors import TrainingError  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SMALL = PpoConfig(
    routes="smoke",
    validation="",
    steps=1536,
    worlds=8,
    shares=2,
    rollout=64,
    batch_size=128,
    epochs=1,
    hidden=(32, 32),
    evaluate_every=10**9,
    checkpoint_every=1024,
)


def bits(training: Training) -> dict[str, np.ndarray]:
    """Everything that a run has come to."""
    weights = {name: tensor.numpy().copy() for name, tensor in training.model.policy.state_dict().items()}
    return {**weights, **training.rollouts.snapshot()}


def differing(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    return [name for name in {*a, *b} if name not in a or name not in b or not np.array_equal(a[name], b[name])]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, np.ndarray]:
    """A run of three updates in one process."""
    training = Training(SMALL, tmp_path_factory.mktemp("undisturbed"))
    for _ in range(3):
        training.update()
    return bits(training)


@contextmanager
def frozen(process: int) -> Iterator[None]:
    """A process that does nothing; at the end it goes on, if it still lives."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


@contextmanager
def soon(deed: Callable[[], Any], condition: Callable[[], bool]) -> Iterator[None]:
    """Do something in another thread as soon as a condition holds."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            if condition():
                deed()
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


# Shares


def test_shares_are_worlds_apart(undisturbed):
    seconds = undisturbed["worlds/world"]
    assert len(seconds) == SMALL.worlds
    assert not np.array_equal(seconds[:4], seconds[4:])  # each has draws of its own
    assert not np.array_equal(*np.split(undisturbed["random/actions"], 2))


def test_the_number_of_shares_decides_the_run(undisturbed, tmp_path):
    training = Training(dataclasses.replace(SMALL, shares=1), tmp_path)
    for _ in range(3):
        training.update()
    assert "action_net.weight" in differing(bits(training), undisturbed)


@pytest.mark.parametrize(("change", "message"), [({"shares": 3}, "shares cannot divide"), ({"shares": 0}, "above 0")])
def test_shares_that_make_no_sense_are_refused(change, message):
    with pytest.raises(TrainingError, match=message):
        dataclasses.replace(SMALL, **change)


def test_a_configuration_from_before_there_were_shares_has_one():
    fields = json.loads(SMALL.to_json())
    del fields["shares"]
    assert PpoConfig.from_json(json.dumps(fields)).shares == 1


def test_a_worker_drives_a_share_again_to_the_same_bits_whatever_it_drove_before():
    driver = RolloutDriver()
    driver.begin(SMALL.to_json(), [])
    weights = {name: tensor.numpy() for name, tensor in driver._policy.state_dict().items()}
    _, state = driver.drive(Order(0, None, 0), weights)
    driver.drive(Order(1, None, 0), weights)
    first, after_first = driver.drive(Order(0, state, 0), weights)
    again, after_again = driver.drive(Order(0, state, 0), weights)
    assert np.array_equal(first.observations, again.observations)
    assert np.array_equal(first.actions, again.actions)
    assert np.array_equal(first.rewards, again.rewards)
    assert differing(after_first, after_again) == []


# The pool


class ThreadWorker(Worker):
    """A worker in this process, that does as it is told on a bad day: `deeds[n]` to what it is asked as the n-th."""

    def __init__(self, number: int, config: PpoConfig, deeds: list[str]) -> None:
        self._driver, self._deeds, self._ended = RolloutDriver(), deeds, threading.Event()
        super().__init__(number, config, [])

    def _ask(self, method: str, *arguments: Any) -> Any:
        deed = self._deeds.pop(0) if self._deeds else ""
        if deed == "hang":
            self._ended.wait()
            raise WorkerLost("it was ended")
        answer = getattr(self._driver, method)(*arguments)
        if deed == "die":
            raise WorkerLost("it fell over")
        return answer

    def _end(self) -> None:
        self._ended.set()


class ThreadWorkers(ProcessWorkers):
    """Starts them; `deeds` of the first, second, ... worker."""

    def __init__(self, *deeds: list[str]) -> None:
        self._deeds = list(deeds)

    def start(self, number: int, config: PpoConfig) -> ThreadWorker:  # type: ignore[override]
        return ThreadWorker(number, config, self._deeds.pop(0) if self._deeds else [])


def pooled(config: PpoConfig, told: list[str], *deeds: list[str], count: int = 2, timeout: float = 0.0) -> Any:
    return closing(PooledRollouts(config, ThreadWorkers(*deeds), count, timeout, told.append))


@pytest.mark.parametrize(
    ("count", "deeds", "lost"),
    [
        (1, (), []),
        (2, (), []),
        (2, (["die"], ["", "die"], ["", "", "die"]), [None, "fell over", "fell over"]),
        (2, (["", "", "hang"],), ["not answered for 4 s"]),
    ],
    ids=["one worker", "two workers", "three die", "one hangs"],
)
def test_workers_drive_the_run_of_one_process_whoever_is_lost(undisturbed, tmp_path, count, deeds, lost):
    told: list[str] = []
    with pooled(SMALL, told, *deeds, count=count, timeout=4.0 if "hang" in str(deeds) else 0.0) as rollouts:
        training = Training(SMALL, tmp_path, rollouts=rollouts)
        for _ in range(3):
            training.update()
        assert differing(bits(training), undisturbed) == []
        assert rollouts.lost == sum(how is not None for how in lost)
    assert len(told) == len(lost)
    for text, how in zip(told, lost, strict=True):
        assert (how or "was lost before it was ready: it fell over") in text


def test_a_run_goes_on_with_other_workers_to_the_same_bits(undisturbed, tmp_path):
    first = Training(SMALL, tmp_path)
    first.update()
    assert first.keep()
    with pooled(SMALL, []) as rollouts:
        second = Training(SMALL, tmp_path, resume=tmp_path / LAST, rollouts=rollouts)
        second.update()
        assert second.keep()
    third = Training(SMALL, tmp_path, resume=tmp_path / LAST)
    third.update()
    assert differing(bits(third), undisturbed) == []


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (["", "die"], r"share 0 of the worlds was lost with 4 workers in one update, the last time: it fell over"),
        (["die"], "workers cannot be started: it fell over"),
    ],
)
def test_what_costs_every_worker_ends_the_run_with_a_message(tmp_path, deed, message):
    told: list[str] = []
    with pooled(SMALL, told, *(list(deed) for _ in range(9)), count=1) as rollouts:
        training = Training(SMALL, tmp_path, rollouts=rollouts)
        with pytest.raises(TrainingError, match=message):
            training.update()
        assert len(told) == 3


def test_what_a_worker_finds_wrong_is_said_as_here(tmp_path):
    with pooled(SMALL, []) as rollouts:
        training = Training(SMALL, tmp_path, rollouts=rollouts)
        with torch.no_grad():
            training.model.policy.action_net.weight.fill_(float("nan"))
        with pytest.raises(TrainingError, match="not finite after 0 decisions"):
            training.update()


# Processes of this machine


def test_a_killed_process_costs_no_bit_stands_in_the_log_and_none_is_left_behind(undisturbed, tmp_path, monkeypatch):
    """The whole command with two workers, one of which is killed while it drives."""
    started: list[Any] = []

    def start(self: ProcessWorkers, number: int, config: PpoConfig) -> ProcessWorker:
        started.append(ProcessWorker(number, config))
        return started[-1]

    monkeypatch.setattr(ProcessWorkers, "start", start)
    with soon(lambda: started[0].process.kill(), lambda: bool(started) and started[0].order is not None):
        assert train(SMALL, tmp_path, rollouts=RolloutOptions(workers=2))
    file, _, progress = read_checkpoint(tmp_path / LAST)
    assert progress.decisions == 1536
    kept = {**file.weights, **file.rest}
    assert differing({name: kept[name] for name in undisturbed}, undisturbed) == []
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    (note,) = [line["note"] for line in lines if "note" in line]
    assert note.startswith(f"worker 1 on {os.uname().nodename} was lost while it drove share ")
    assert "it was killed by SIGKILL (out of memory, or killed from outside); the share is driven again" in note
    assert lines[-1]["workers/lost"] == 1.0
    assert len(started) == 3
    assert all(not worker.process.is_alive() for worker in started[1:])


def test_a_worker_that_runs_out_of_memory_says_so():
    worker = ProcessWorker(1, SMALL)
    worker.answer.result()
    resource.prlimit(worker.process.pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    worker.give(Order(0, None, 0), {"much": np.zeros(10**7)})
    with pytest.raises(WorkerLost, match="it ran out of memory"):
        worker.answer.result()
    worker.kill()


def test_workers_end_with_their_learner():
    worker = ProcessWorker(1, SMALL)
    worker.answer.result()
    os.kill(worker.process.pid, signal.SIGINT)  # Ctrl-C reaches them too, and is the learner's to hear
    worker._pipe.close()  # what they see of a learner that was killed
    worker.process.join(60.0)
    assert worker.process.exitcode == 0
    worker.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--ray",), "--ray spreads --workers over a cluster; say how many"),
        (("--workers", "-1"), "must not be negative"),
        (("--workers", "3"), "worlds is 64, which 3 shares cannot divide evenly"),
    ],
)
def test_wrong_options_are_explained(arguments, message, tmp_path, capsys):
    from run_train import main

    assert main(["ppo", "--routes", "smoke", "--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err


# Ray


def test_without_ray_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(TrainingError, match=r"pip install 'routegym\[scale\]'"),
        open_rollouts(SMALL, RolloutOptions(workers=1, ray="auto"), print),
    ):
        pass


def test_a_machine_that_does_not_see_the_routes_says_so(tmp_path):
    with pytest.raises(TrainingError, match=r"has no .*elsewhere; all machines of the cluster need"):
        RolloutDriver().begin(SMALL.to_json(), [str(tmp_path / "elsewhere")])


def test_files_that_a_configuration_names_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.xml").write_bytes(find_suite("smoke").read_bytes())
    config, needs = on_any_machine(dataclasses.replace(SMALL, routes="mine.xml"))
    assert needs == [config.routes] == [str(tmp_path / "mine.xml")]
    assert on_any_machine(SMALL) == (SMALL, [])
    assert on_any_machine(PpoConfig()) == (PpoConfig(), [])


def test_a_node_that_dies_in_mid_run_changes_no_bit(undisturbed, tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install 'routegym[scale]'")
    from ray.cluster_utils import Cluster

    from rl.rollout_ray import ray_workers

    fast = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    size = {"num_cpus": 1, "object_store_memory": 80_000_000}  # room for one worker
    cluster = Cluster(initialize_head=True, head_node_args={**size, "_system_config": fast})
    told: list[str] = []
    try:
        node = cluster.add_node(**size)
        with (
            ray_workers(cluster.address) as source,
            closing(PooledRollouts(SMALL, source, 2, say=told.append)) as rollouts,
        ):
            training = Training(SMALL, tmp_path, rollouts=rollouts)
            for worker in rollouts.workers:
                assert worker.answer.exception(120) is None  # so that each gets a share
            training.update()
            (there,) = [worker for worker in rollouts.workers if worker.place.node == node.node_id]
            with (
                frozen(there.place.pid),
                soon(lambda: cluster.remove_node(node, allow_graceful=False), lambda: there.order is not None),
            ):
                training.update()
            assert there not in rollouts.workers
            (text,) = told
            assert "was lost while it drove share" in text
            assert "its Ray actor died" in text
            training.update()
            assert rollouts.lost == 1
            assert differing(bits(training), undisturbed) == []
    finally:
        cluster.shutdown()
