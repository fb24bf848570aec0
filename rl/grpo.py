"""Online GRPO and its kin: collect groups, turn rewards into advantages, step the policy, and again.

| order | what | from |
|---|---|---|
| 1 | groups are driven | `rl.groups` |
| 2 | rewards become advantages | `rl.advantages` |
| 3 | `epochs` passes over all decisions in minibatches | `rl.losses` |
| 4 | measures are written to metrics.jsonl and TensorBoard | here |
| 5 | now and then: held-out routes, a checkpoint | `rl.held_out`, `rl.grpo_checkpoint` |
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.policy import Policy, take_rows
from agents.policy_agent import PolicyAgent
from envs.routes import RouteBatch
from rl.advantages import is_spread
from rl.group_members import Collection, set_advantages, spread_of
from rl.groups import make_sampler
from rl.grpo_checkpoint import last_checkpoint, load_checkpoint, save_checkpoint
from rl.grpo_settings import GrpoSettings
from rl.held_out import drive_all, score_of
from rl.losses import policy_loss
from rl.records import DecisionRecord, RecordBatch, stack_records
from simulator.errors import TrainingError

METRICS, SETTINGS, POLICY = "metrics.jsonl", "settings.json", "policy"


class GrpoTrainer:
    """One run in one folder.

    Attributes:
        update: updates done. ticks: simulated in training so far.
    """

    def __init__(
        self,
        policy: Policy,
        routes: RouteBatch,
        settings: GrpoSettings,
        folder: str | Path,
        *,
        train: Sequence[int] | None = None,
        held_out: Sequence[tuple[int, int]] = (),
        held_out_routes: RouteBatch | None = None,
        resume: bool = False,
    ) -> None:
        """
        Args:
            train: indices of the routes that are trained on; all by default.
            held_out: (route index, seed) tasks of `held_out_routes` (default: of `routes`) to measure on.

        Raises:
            TrainingError: for settings that make no sense, or a folder that holds another run.
        """
        self.policy, self.routes, self.settings = policy, routes, settings.check()
        self.folder = Path(folder)
        self._held_out, self._held_routes = list(held_out), held_out_routes or routes
        self._optimiser = torch.optim.AdamW(
            [p for p in policy.trainable() if p.requires_grad], lr=settings.learning_rate, weight_decay=0.0
        )
        self._value_optimiser: torch.optim.Optimizer | None = None
        if settings.group.needs_values:
            self._value_optimiser = torch.optim.AdamW(policy.add_critic(), lr=settings.value_rate, weight_decay=0.0)
        self._draws = np.random.default_rng(settings.seed)
        picks = list(range(len(routes.routes))) if train is None else list(train)
        self._sampler = make_sampler(policy, routes, picks, settings)
        self.update = 0
        self.ticks = 0
        self._best = -math.inf
        with policy.reference():  # takes the weights as they are now
            pass
        self._open(resume)

    def run(
        self, on_update: Callable[[dict[str, float]], None] | None = None, known: dict[str, float] | None = None
    ) -> dict[str, float]:
        """Train to the last update; returns the last measures.

        Args:
            on_update: hears the measures of each update.
            known: what `evaluate` says of the policy at the start, where that has been measured before.

        Raises:
            TrainingError: when the loss is not finite.
        """
        measures: dict[str, float] = {}
        if self.update == 0 and self._held_out:
            measures = self._log({"update": 0.0, "ticks": 0.0, **(known or self.evaluate())})
        while not self._done():
            before = self.ticks
            measures = self.step()
            if self._held_out and self._evaluation_due(before):
                measures |= self.evaluate()
                if measures["held_out_driving_score"] > self._best:
                    self._best = measures["held_out_driving_score"]
                    self.policy.save(str(self.folder / "best"))
            self._log(measures)
            if self.update % self.settings.checkpoint_every == 0 or self._done():
                self.checkpoint()
            if on_update is not None:
                on_update(measures)
        self.policy.save(str(self.folder / POLICY))
        return measures

    def _done(self) -> bool:
        most = self.settings.max_ticks
        return self.update >= self.settings.updates or bool(most and self.ticks >= most)

    def _evaluation_due(self, before: int) -> bool:
        every = self.settings.evaluate_ticks
        if every:
            return self.ticks // every > before // every or self._done()
        return self.update % self.settings.evaluate_every == 0

    def _rate(self) -> float:
        """Learning rate of the next update."""
        settings = self.settings
        done = self.ticks / settings.max_ticks if settings.max_ticks else self.update / settings.updates
        return settings.learning_rate * (1.0 - (1.0 - settings.final_rate) * min(done, 1.0))

    def step(self) -> dict[str, float]:
        """One collection and its update."""
        rate = self._rate()
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        collection = self._sampler.collect(self._draws)
        set_advantages(collection.groups, self.settings)
        began = time.perf_counter()
        records = collection.records()
        learned = self._learn(records)
        update_s = time.perf_counter() - began
        self.update += 1
        self.ticks += collection.ticks
        total = collection.infer_s + collection.simulate_s + update_s
        return {
            "update": float(self.update),
            "ticks": float(self.ticks),
            **collection_measures(collection),
            **learned,
            "learning_rate": rate,
            "simulate_s": collection.simulate_s,
            "infer_s": collection.infer_s,
            "update_s": update_s,
            "decisions_per_s": len(records) / max(total, 1e-9),
            "ticks_per_s": collection.ticks / max(total, 1e-9),
        }

    def evaluate(self) -> dict[str, float]:
        """Driving on the held-out tasks: greedy, and sampled as in training (`held_out_sampled_...`)."""
        found: dict[str, float] = {}
        for prefix, temperature in (("held_out_", 0.0), ("held_out_sampled_", self.settings.temperature)):
            agent = PolicyAgent(self.policy, temperature=temperature)
            score = score_of(drive_all(agent, self._held_routes, self._held_out))
            found |= {prefix + name: value for name, value in score.document().items()}
        return found

    def checkpoint(self) -> Path:
        """Write everything that the run depends on."""
        with self.policy.reference():
            reference = self.policy.state()
        return save_checkpoint(
            self.folder,
            update=self.update,
            weights=self.policy.state(),
            reference=reference,
            optimiser=self._optimiser,
            draws=self._draws,
            sampler=self._sampler.state(),
            progress={"ticks": self.ticks, "best": self._best if math.isfinite(self._best) else None},
            value_optimiser=self._value_optimiser,
        )

    def _learn(self, records: list[DecisionRecord]) -> dict[str, float]:
        """Passes over the decisions; the gradient of a step is that of its minibatch."""
        settings = self.settings
        judged = self._learn_values(stack_records(records)) if self._value_optimiser is not None else {}
        useful = [record for record in records if np.any(record.advantage)]
        if not useful:
            return judged | {"steps": 0.0}
        batch = stack_records(useful)
        if judged and self.update < settings.group.value_warmup:
            return judged
        reference = self._reference_logp(batch) if settings.loss.kl > 0.0 else None
        found: list[dict[str, float]] = []
        for at in self._minibatches(len(batch)):
            found.append(self._optimise(batch, at, reference))
            if settings.target_kl and found[-1]["approx_kl"] > 1.5 * settings.target_kl:
                break
        measures = {name: float(np.mean([each[name] for each in found])) for name in found[0]}
        measures["ratio_first"] = found[0]["ratio_max"]
        measures["steps"] = float(len(found))
        return measures | judged

    def _minibatches(self, count: int) -> Iterator[np.ndarray]:
        """int64 indices of the decisions of each step, pass after pass."""
        for _ in range(self.settings.epochs):
            yield from np.array_split(self._draws.permutation(count), math.ceil(count / self.settings.minibatch))

    def _learn_values(self, batch: RecordBatch) -> dict[str, float]:
        """Passes of the value network; `explained`: share of the targets' variance that it knew before."""
        optimiser = self._value_optimiser
        assert optimiser is not None
        target = torch.from_numpy(batch.value_target)
        errors: list[float] = []
        for at in self._minibatches(len(batch)):
            value = self.policy.value(take_rows(batch.rows, at))
            assert value is not None
            loss = 0.5 * ((value - target[at]) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], self.settings.max_grad_norm)
            optimiser.step()
            errors.append(2.0 * float(loss.detach()))
        errors = errors[: len(errors) // self.settings.epochs]  # of the first pass
        spread = float(target.var())
        return {"value_loss": float(np.mean(errors)), "explained": 1.0 - float(np.mean(errors)) / max(spread, 1e-9)}

    def _optimise(self, batch: RecordBatch, at: np.ndarray, reference: torch.Tensor | None) -> dict[str, float]:
        settings = self.settings
        now = self.policy.logp(
            take_rows(batch.rows, at), batch.tokens[at], batch.mask[at], temperature=batch.temperature
        )
        loss, measures = policy_loss(
            now.logp,
            torch.from_numpy(batch.logp[at]),
            torch.from_numpy(batch.advantage[at]),
            now.mask,
            torch.from_numpy(batch.weight[at]),
            settings.loss,
            entropy=now.entropy,
            reference=None if reference is None else reference[at],
            shaped=torch.from_numpy(batch.shaped[at]),
        )
        if not torch.isfinite(loss):
            raise TrainingError(f"the loss is not finite at update {self.update + 1}; the last checkpoint is unharmed")
        self._optimiser.zero_grad()
        loss.backward()
        parameters = [p for group in self._optimiser.param_groups for p in group["params"]]
        measures["grad_norm"] = float(torch.nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm))
        self._optimiser.step()
        return measures

    @torch.no_grad()
    def _reference_logp(self, batch: RecordBatch) -> torch.Tensor:
        parts = []
        with self.policy.reference():
            for first in range(0, len(batch), self.settings.minibatch):
                at = np.arange(first, min(first + self.settings.minibatch, len(batch)))
                rows = take_rows(batch.rows, at)
                found = self.policy.logp(rows, batch.tokens[at], batch.mask[at], temperature=batch.temperature)
                parts.append(found.logp)
        return torch.cat(parts)

    def _open(self, resume: bool) -> None:
        settings_file = self.folder / SETTINGS
        if settings_file.exists() and not resume:
            raise TrainingError(f"{self.folder} already holds a run; go on with --resume, or choose another folder")
        if resume:
            path = last_checkpoint(self.folder)
            if path is None:
                raise TrainingError(f"{self.folder} holds no checkpoint to resume from")
            saved = GrpoSettings.from_json(settings_file.read_text(encoding="utf-8"))
            if _without(saved, "updates") != _without(self.settings, "updates"):
                raise TrainingError(f"{settings_file} has other settings than asked for; only `updates` may change")
            self.update, weights, reference, sampler, progress = load_checkpoint(
                path, self._optimiser, self._draws, self._value_optimiser
            )
            with self.policy.reference():
                self.policy.load_state(reference)
            self.policy.load_state(weights)
            self._sampler.load_state(sampler)
            self.ticks = int(progress["ticks"])
            self._best = -math.inf if progress["best"] is None else float(progress["best"])
            _cut_metrics(self.folder / METRICS, self.update)
        self.folder.mkdir(parents=True, exist_ok=True)
        settings_file.write_text(self.settings.to_json(), encoding="utf-8")
        self._board: Any = None

    def _log(self, measures: dict[str, float]) -> dict[str, float]:
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({name: round(float(value), 6) for name, value in measures.items()}) + "\n")
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder / "tensorboard"))  # type: ignore[no-untyped-call]
        for name, value in measures.items():
            self._board.add_scalar(name, value, int(measures["update"]))
        self._board.flush()
        return measures


def collection_measures(collection: Collection) -> dict[str, float]:
    """What a GRPO user watches, of one collection."""
    members = [member for group in collection.groups for member in group]
    if not members:
        return {"groups": 0.0, "groups_dropped": float(collection.dropped)}
    spreads = np.array([spread_of(group) for group in collection.groups])
    records = [record for member in members for record in member.records]
    found = {
        "groups": float(len(collection.groups)),
        "groups_dropped": float(collection.dropped),
        "decisions": float(len(records)),
        "reward": float(np.mean([member.reward for member in members])),
        "group_std": float(spreads.mean()),
        "zero_variance_share": float(np.mean([not is_spread(s) for s in spreads])),
        "total_failure_ratio": float(np.mean([not any(m.success for m in group) for group in collection.groups])),
        "success_share": float(np.mean([member.success for member in members])),
        "completion": float(np.mean([member.percent for member in members])),
        "response_length": float(np.mean([record.mask.sum() for record in records])) if records else 0.0,
        "format_failures": float(collection.failures),
    }
    for name in members[0].terms:
        found[f"reward_{name}"] = float(np.mean([member.terms[name] for member in members]))
    return found


def _without(settings: GrpoSettings, name: str) -> dict[str, Any]:
    return {key: value for key, value in vars(settings).items() if key != name}


def _cut_metrics(path: Path, update: int) -> None:
    """Forget what was measured after the checkpoint."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if json.loads(line)["update"] <= update), encoding="utf-8")
