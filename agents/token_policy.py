"""The small token policy: a transformer over an observation of the environment that says action tokens, on a CPU."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from agents.policy import Decisions, LogProb, Policy, Rows, pick, repeat_rows
from agents.token_net import TokenNet
from agents.token_view import TokenView, ViewShape, make_token_view
from agents.tokens.base import ActionTokens
from agents.tokens.bins import CoordinateBins
from agents.tokens.codebook import SegmentCodebook, features
from agents.tokens.commands import CommandTokens, command_features
from agents.tokens.files import load_tokens, save_tokens
from agents.tokens.grid import ControlGrid
from envs.world import WorldBatch
from simulator.errors import AgentError

VERSION = 1
CONFIG, WEIGHTS, TOKENS = "policy.json", "model.safetensors", "tokens"


@dataclass(frozen=True)
class TokenPolicyConfig:
    """What the policy is made of."""

    observation: str = "vector"
    """What it sees: an observation of `envs.observations`."""
    width: int = 96
    """Width of the transformer."""
    layers: int = 2
    """Its blocks."""
    heads: int = 4
    """Attention heads of a block."""
    seed: int = 0
    """Of its first weights."""
    decision_ticks: int = 10
    """Ticks of 0.05 s between decisions."""
    flat: bool = False
    """See neighbours in one row with the ego, not as a set: less to compute, and their order counts."""


class TokenPolicy(Policy):
    """Says `tokens.length` tokens a decision.

    Attributes:
        net: the network. tokens: what its tokens mean. critic: the value network, once there is one.
    """

    name = "token"

    def __init__(self, config: TokenPolicyConfig, tokens: ActionTokens, shape: ViewShape) -> None:
        self.config, self.tokens, self.shape = config, tokens, shape
        self.sample_size = tokens.length
        self.decision_ticks = config.decision_ticks
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            geometry = torch.tensor(token_features(tokens), dtype=torch.float32)
            self.net = TokenNet(shape, geometry, tokens.length, config.width, config.layers, config.heads)
        self._reference: TokenNet | None = None
        self.critic: TokenNet | None = None
        self._asked = self.net

    def observer(self, batch: WorldBatch) -> TokenView:
        return make_token_view(self.config.observation, self.tokens, self.config.flat, batch)

    def view_spec(self) -> dict[str, Any]:
        commands = isinstance(self.tokens, CommandTokens)
        return {"view": "token", "observation": self.config.observation, "flat": self.config.flat, "commands": commands}

    @torch.no_grad()
    def act(self, rows: Rows, uniforms: np.ndarray | None = None, *, n: int = 1, temperature: float = 1.0) -> Decisions:
        count = len(rows["speed"]) * n
        length = self.tokens.length
        tokens = np.zeros((count, length), np.int64)
        logp, entropy = np.zeros((count, length), np.float32), np.zeros((count, length), np.float32)
        valid = np.ones(count, bool)
        inputs = tensors(rows)
        for k in range(length):
            if k == 1 and n > 1:
                inputs = tensors(repeat_rows(rows, n))
            logits, _ = self._asked(inputs, torch.from_numpy(tokens[:, :k]) if k else _nothing(len(inputs["ego"])))
            log = torch.log_softmax(logits[:, -1].float() / temperature, dim=-1).numpy()
            if k == 0 and n > 1:
                log = np.repeat(log, n, axis=0)
            finite = np.isfinite(log).all(axis=1)
            valid &= finite
            log = np.where(finite[:, None], log, -np.log(log.shape[1]))
            p = np.exp(log)
            tokens[:, k] = log.argmax(axis=1) if uniforms is None else pick(p, uniforms.reshape(count, -1)[:, k])
            logp[:, k] = np.take_along_axis(log, tokens[:, k, None], axis=1)[:, 0]
            entropy[:, k] = -(p * log).sum(axis=1)
        speeds = np.repeat(rows["speed"], n)
        trajectories = self.tokens.decode(tokens, speeds)
        trajectories[~valid] = 0.0
        reasons = ["" if good else "logits are not finite" for good in valid]
        mask = np.ones(tokens.shape, bool)
        read = np.full(count, 1 + sum(m for m, _ in self.shape.sets.values()), np.int64)
        return Decisions(
            tokens, logp, entropy, mask, valid, trajectories, self.tokens.interval, reasons, prompt_tokens=read
        )

    def logp(self, rows: Rows, tokens: np.ndarray, mask: np.ndarray, *, temperature: float = 1.0) -> LogProb:
        said = torch.from_numpy(np.ascontiguousarray(tokens))
        logits, _ = self._asked(tensors(rows), said[:, :-1])
        log = torch.log_softmax(logits.float() / temperature, dim=-1)
        chosen = log.gather(-1, said[..., None])[..., 0]
        return LogProb(chosen, -(log.exp() * log).sum(-1), torch.from_numpy(np.ascontiguousarray(mask)))

    def label(self, rows: Rows, trajectories: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        if isinstance(self.tokens, CommandTokens):
            return self.tokens.choose(trajectories, offsets, rows["speed"], rows["allowed"], rows["wanted"])
        return self.tokens.encode(trajectories, np.asarray(rows["speed"], np.float64))

    def value(self, rows: Rows) -> Tensor:
        return (self.critic or self.net)(tensors(rows), _nothing(len(rows["speed"])))[1]

    def add_critic(self) -> Iterable[torch.nn.Parameter]:
        """Values come from a network of their own from now on, which begins as the policy's; its parameters."""
        self.critic = copy.deepcopy(self.net)
        return self.critic.parameters()

    def trainable(self) -> Iterable[torch.nn.Parameter]:
        return self.net.parameters()

    def freeze_reference(self) -> None:
        """Take the present weights as the reference model."""
        self._reference = copy.deepcopy(self.net)
        self._reference.requires_grad_(False)

    @contextmanager
    def reference(self) -> Iterator[None]:
        if self._reference is None:
            self.freeze_reference()
        assert self._reference is not None
        self._asked = self._reference
        try:
            yield
        finally:
            self._asked = self.net

    def fit_scale(self, rows: Rows) -> None:
        self.net.fit_scale(tensors(rows))

    def size(self) -> tuple[int, int]:
        count = sum(p.numel() for p in self.net.parameters())
        return count, count

    def state(self) -> dict[str, Tensor]:
        found = dict(self._asked.state_dict())
        if self.critic is not None and self._asked is self.net:
            found |= {f"critic.{name}": value for name, value in self.critic.state_dict().items()}
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        values = {name[7:]: value for name, value in state.items() if name.startswith("critic.")}
        if self.critic is not None and values:
            self.critic.load_state_dict(values)
        self._asked.load_state_dict({name: v for name, v in state.items() if not name.startswith("critic.")})

    def save(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        about = {
            "format": "routegym-token-policy",
            "version": VERSION,
            "config": dataclasses.asdict(self.config),
            "shape": dataclasses.asdict(self.shape),
        }
        (folder / CONFIG).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        save_file({name: value.contiguous() for name, value in self._asked.state_dict().items()}, folder / WEIGHTS)
        save_tokens(self.tokens, folder / TOKENS)

    @classmethod
    def load(cls, folder: str | Path) -> TokenPolicy:
        """Read what `save` wrote.

        Raises:
            AgentError: when the folder holds no token policy.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            if about.get("format") != "routegym-token-policy" or about.get("version") != VERSION:
                raise AgentError(f"{folder / CONFIG}: expected version {VERSION} of routegym-token-policy")
            shape = about["shape"]
            sets = {name: (int(m), int(f)) for name, (m, f) in shape["sets"].items()}
            image = tuple(shape["image"]) if shape["image"] else None
            view = ViewShape(shape["ego"], sets, image)  # type: ignore[arg-type]
            policy = cls(TokenPolicyConfig(**about["config"]), load_tokens(folder / TOKENS), view)
            policy.load_state(load_file(folder / WEIGHTS))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise AgentError(f"{folder} holds no token policy that can be read: {error}") from error
        return policy


def token_features(tokens: ActionTokens) -> np.ndarray:
    """float64[V, F] geometry of the tokens, scaled to be of the order of one."""
    if isinstance(tokens, SegmentCodebook):
        found = features(tokens.segments)
    elif isinstance(tokens, ControlGrid):
        count = len(tokens.accelerations)
        every = np.arange(tokens.size)
        found = np.stack([tokens.steers[every // count], tokens.accelerations[every % count]], axis=1)
    elif isinstance(tokens, CommandTokens):
        found = command_features()
    elif isinstance(tokens, CoordinateBins):
        found = np.linspace(-1.0, 1.0, tokens.size)[:, None]
    else:
        found = np.zeros((tokens.size, 1))
    return np.asarray((found - found.mean(axis=0)) / np.maximum(found.std(axis=0), 1e-6))


def tensors(rows: Rows) -> dict[str, Tensor]:
    """Rows as torch tensors that share their memory."""
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in rows.items()}


def _nothing(count: int) -> Tensor:
    return torch.zeros((count, 0), dtype=torch.int64)
