"""`run_train.py ppo`: collect, learn, evaluate, keep; and go on where a run was stopped, to the bit.

A run folder holds `config.json`, `last.safetensors` (everything), `best.safetensors` (the policy that drove the
held-out routes best), `log.jsonl` (one object an update or evaluation) and `tensorboard/`.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from stable_baselines3.common.logger import TensorBoardOutputFormat

from agents.policy_file import PolicyFile
from agents.sb3 import Sb3Agent
from envs.vector_env import load_routes
from rl.checkpoint import (
    Progress as RunProgress,
)
from rl.checkpoint import (
    load_into,
    policy_spec,
    policy_weights,
    read_checkpoint,
    save_checkpoint,
    save_policy,
)
from rl.config import PpoConfig, RolloutOptions, resolve_routes
from rl.evaluation import drive_all, scores_of
from rl.ppo import RoutePPO, make_ppo
from rl.rewards import training_reward
from rl.rollout_pool import open_rollouts
from rl.rollouts import Rollouts, training_routes
from simulator.errors import TrainingError

LAST, BEST, LOG = "last.safetensors", "best.safetensors", "log.jsonl"


class Interrupt:
    """Ctrl-C or SIGTERM asks for a stop after the running update; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over for a while."""
        names = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(name, self._on_signal) for name in names]
        try:
            yield
        finally:
            for name, handler in zip(names, before, strict=True):
                signal.signal(name, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("stopping after this update, then saving (again: stop at once, unsaved)", file=sys.stderr)


class Training:
    """One run, from its first decision or from a checkpoint.

    Attributes:
        model: the learner; rollouts: who drives for it; config: what decides the run; progress: where it stands;
        folder: where its files are.
    """

    def __init__(
        self,
        config: PpoConfig,
        folder: Path,
        resume: Path | None = None,
        console: Console | None = None,
        rollouts: Rollouts | None = None,
    ) -> None:
        """
        Args:
            config: of a new run, or of the checkpoint with another `steps`.
            folder: for the files of the run.
            resume: checkpoint to go on from.
            console: where to report; None: nowhere.
            rollouts: who drives; by default this process.
        """
        self.config = config
        self.folder = folder
        self.console = console or Console(quiet=True)
        file: PolicyFile | None = None
        self.progress = RunProgress()
        if resume is not None:
            file, _, self.progress = read_checkpoint(resume)
        self.rollouts = rollouts or Rollouts(training_routes(config), config)
        held_out = resolve_routes(config.validation)
        self.held_out = load_routes(held_out, config.maps or None) if held_out else None
        self.model: RoutePPO = make_ppo(config, *self.rollouts.spaces)
        if file is not None:
            self.rollouts.restore(file.rest)
            load_into(self.model, file, self.progress)

    def update(self) -> dict[str, float]:
        """One rollout of every share and what is learnt from them; returns what there is to log."""
        began = time.perf_counter()
        model, config = self.model, self.config
        before = dict(model.seconds)
        rollouts = self.rollouts.collect(model.policy, self.progress.decisions)
        collected = time.perf_counter()
        model.take(rollouts)
        model._update_current_progress_remaining(model.num_timesteps, config.steps)
        model.train()
        self.progress.decisions = model.num_timesteps
        self.progress.updates = model._n_updates
        seconds = time.perf_counter() - began
        self.progress.seconds += seconds
        decisions = config.worlds * config.rollout
        noted: dict[str, float] = {
            "time/decisions_per_second": decisions / seconds,
            "time/share_rollout": (collected - began) / seconds,
        }
        for name, total in model.seconds.items():
            noted[f"time/share_{name}"] = (total - before[name]) / seconds
        for name in rollouts[0].terms:
            noted[f"reward/{name}"] = sum(rollout.terms[name] for rollout in rollouts) / decisions
        if self.rollouts.lost:
            noted["workers/lost"] = float(self.rollouts.lost)
        if model.stories:
            for name in ("return", "steps", "completion", "driving_score", "collision"):
                noted[f"episode/{name}"] = float(np.mean([story[name] for story in model.stories]))
            noted["episode/count"] = len(model.stories)
        for name, value in model.logger.name_to_value.items():
            if name.startswith("train/") and isinstance(value, (int, float, np.floating)):
                noted[name] = float(value)
        return noted

    def evaluate(self, seed: int = 0) -> dict[str, float]:
        """Scores of the policy, greedy, on the held-out routes."""
        assert self.held_out is not None
        spec = policy_spec(self.config)
        file = PolicyFile(self.folder / "(in training)", spec, policy_weights(self.model), {}, {})
        return scores_of(drive_all(Sb3Agent(file), self.held_out, seed))

    def keep(self, name: str = LAST) -> bool:
        """Write a checkpoint. False when it could not be written: the one before stays, and training may go on."""
        try:
            if name == LAST:
                save_checkpoint(self.folder / name, self.model, self.rollouts.snapshot(), self.config, self.progress)
            else:
                save_policy(self.folder / name, self.model, self.config, self.progress)
        except OSError as error:
            self.say(
                f"{self.folder / name} could not be written ({error.strerror or error}): the checkpoint before stays, "
                "training goes on; make room on the disk"
            )
            return False
        return True

    def say(self, text: str) -> None:
        """Tell people."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


def train(
    config: PpoConfig,
    folder: Path,
    resume: Path | None = None,
    console: Console | None = None,
    rollouts: RolloutOptions | None = None,
) -> bool:
    """Run to the end of `config.steps`, an early stop, or an interrupt; False when interrupted.

    Args:
        config, folder, resume, console: see `Training`.
        rollouts: who drives; by default this process.

    Raises:
        TrainingError: when the run cannot start or go on. What was kept stays.
    """
    training_reward(config.reward)  # which may not exist: known at once, not after loading routes
    console = console or Console(stderr=True)
    interrupt = Interrupt()
    log: RunLog | None = None

    def tell(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        if log is not None:
            log.tell(text)

    with interrupt.listening(), open_rollouts(config, rollouts or RolloutOptions(), tell) as drivers:
        training = Training(config, folder, resume, console, drivers)
        log = RunLog(folder, training)
        due = _next(training.progress.decisions, config.checkpoint_every)
        due_evaluation = _next(training.progress.decisions, config.evaluate_every)
        outcome = "done"
        with _bar(console, config, training.progress.decisions) as show:
            while training.progress.decisions < config.steps and outcome == "done":
                try:
                    log.note(training.update())
                except TrainingError:
                    log.close()
                    raise
                done = training.progress.decisions
                show(done, log.recent())
                last = done >= config.steps or interrupt.asked
                if training.held_out is not None and (done >= due_evaluation or last) and not interrupt.asked:
                    due_evaluation = _next(done, config.evaluate_every)
                    if not evaluate(training, log):
                        outcome = "stopped early"
                        last = True
                if done >= due or last:
                    due = _next(done, config.checkpoint_every)
                    kept = training.keep()
                    if last and not kept:
                        log.close()
                        raise TrainingError(
                            f"the run ended at {done} decisions, but its last checkpoint could not be written to "
                            f"{folder}; the one before it is whole. Make room and go on with --resume {folder}"
                        )
                if interrupt.asked:
                    outcome = "interrupted"
        log.close()
    done = training.progress.decisions
    training.say(f"{outcome} after {done} decisions, {training.progress.seconds:.0f} s of training; run in {folder}")
    if training.progress.evaluations:
        training.say(f"best on held-out routes: DS {training.progress.best:.1f}  ({folder / BEST})")
    if outcome == "interrupted":
        training.say(f"go on with: python run_train.py ppo --resume {folder}")
    return outcome != "interrupted"


def evaluate(training: Training, log: RunLog) -> bool:
    """Evaluate and keep what is best; False when there has been no better for `patience` evaluations."""
    progress, config = training.progress, training.config
    scores = {"decisions": float(progress.decisions), **training.evaluate()}
    progress.evaluations.append(scores)
    log.note({f"held_out/{name}": value for name, value in scores.items() if name != "decisions"})
    training.say(
        f"{progress.decisions} decisions: held-out routes DS {scores['driving_score']:.1f}, "
        f"SR {scores['success_rate']:.1f} %, RC {scores['route_completion']:.1f}"
    )
    before = progress.best
    if scores["driving_score"] > before:
        progress.best = scores["driving_score"]
        if not training.keep(BEST):
            progress.best = before  # of the file that is there, so that the next one that is better takes its place
    at = [each["driving_score"] for each in progress.evaluations]
    waited = len(at) - 1 - int(np.argmax(at))
    return config.patience == 0 or waited < config.patience


class RunLog:
    """TensorBoard, and one JSON object a line in `log.jsonl`. A full disk costs log lines, not the run."""

    def __init__(self, folder: Path, training: Training) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.json").write_text(training.config.to_json())
        except OSError as error:
            raise TrainingError(f"{folder} cannot be written: {error.strerror or error}") from None
        self._folder, self._training = folder, training
        self._recent: deque[dict[str, float]] = deque(maxlen=20)
        try:
            self._board: TensorBoardOutputFormat | None = TensorBoardOutputFormat(str(folder / "tensorboard"))
        except (AssertionError, OSError):
            self._board = None

    def note(self, values: dict[str, float]) -> None:
        """Log one update or evaluation."""
        decisions = self._training.progress.decisions
        self._recent.append(values)
        self._write({name: float(f"{value:.6g}") for name, value in values.items()})
        try:
            if self._board is not None:
                self._board.write(dict(values), {name: () for name in values}, decisions)
        except OSError as error:
            self._training.say(f"log lines are lost: {error.strerror or error}")
            self._board = None

    def tell(self, text: str) -> None:
        """Log what people have been told."""
        self._write({"note": text})

    def _write(self, values: Mapping[str, float | str]) -> None:
        progress = self._training.progress
        line = {"decisions": progress.decisions, "seconds": round(progress.seconds, 3), **values}
        try:
            with open(self._folder / LOG, "a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            self._training.say(f"log lines are lost: {error.strerror or error}")

    def recent(self) -> dict[str, float]:
        """Means of the last updates."""
        names = ("episode/driving_score", "episode/completion", "episode/return", "time/decisions_per_second")
        rows = [row for row in self._recent if names[-1] in row]
        return {name: float(np.mean([row[name] for row in rows if name in row] or [np.nan])) for name in names}

    def close(self) -> None:
        """Write out what TensorBoard holds back."""
        if self._board is not None:
            try:
                self._board.close()
            except OSError:
                self._board = None


@contextmanager
def _bar(console: Console, config: PpoConfig, done: int) -> Iterator[Any]:
    """A progress bar with ETA on a terminal, a line every minute elsewhere."""
    if not console.is_terminal:
        last = time.monotonic()
        began, first = time.monotonic(), done

        def line(decisions: int, means: dict[str, float]) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last > 60.0:
                last = now
                left = (config.steps - decisions) * (now - began) / max(decisions - first, 1)
                console.print(f"{decisions} of {config.steps} decisions, {left / 60:.0f} min left: {_words(means)}")

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=config.steps, completed=done)
        yield lambda decisions, means: bar.update(task, completed=decisions, description=_words(means))


def _words(means: dict[str, float]) -> str:
    return (
        f"training DS {means['episode/driving_score']:.1f}, RC {means['episode/completion']:.1f}, "
        f"return {means['episode/return']:.2f}, {means['time/decisions_per_second']:.0f}/s"
    )


def _next(done: int, every: int) -> int:
    return (done // every + 1) * every
