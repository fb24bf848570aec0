"""A trained policy as one file: weights in the safetensors format, and in its header what they expect to see.

A checkpoint of a training run (`rl.checkpoint`) is such a file with more in it, so every checkpoint is an agent.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.policy_driving import ACTIONS, OBSERVATIONS
from simulator.errors import AgentError

FORMAT = "routegym-policy-1"
_PREFIX = "policy/"


@dataclass(frozen=True)
class PolicySpec:
    """What a policy expects."""

    observation: str
    """One of `agents.policy_driving.OBSERVATIONS`."""
    observation_version: int
    """Version of that observation's meaning."""
    action: str
    """One of `agents.policy_driving.ACTIONS`."""
    frame_skip: int
    """Ticks a decision."""
    hidden: tuple[int, ...]
    """Widths of the hidden layers."""


@dataclass(frozen=True)
class PolicyFile:
    """A policy that has been read: spec, weights by their names in stable-baselines3, and everything else."""

    path: Path
    spec: PolicySpec
    weights: dict[str, np.ndarray]
    rest: dict[str, np.ndarray]
    metadata: dict[str, str]


def write_policy(
    path: Path,
    spec: PolicySpec,
    weights: dict[str, np.ndarray],
    rest: dict[str, np.ndarray] | None = None,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a file so that at every moment either the old or the whole new one is there.

    Raises:
        OSError: when it cannot be written; what was there stays.
    """
    from safetensors.numpy import save

    tensors = {_PREFIX + name: np.ascontiguousarray(array) for name, array in weights.items()}
    tensors |= {name: np.ascontiguousarray(array) for name, array in (rest or {}).items()}
    header = {"format": FORMAT, "policy": json.dumps(dataclasses.asdict(spec)), **(metadata or {})}
    write_atomically(path, save(tensors, header))


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file, through a neighbour that is on the disk before it takes the name.

    Raises:
        OSError: when it cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    neighbour = path.with_name(path.name + ".part")
    try:
        with open(neighbour, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(neighbour, path)
    except OSError:
        neighbour.unlink(missing_ok=True)
        raise


def find_policy(path: str | Path) -> Path:
    """The policy file of an argument: a file, or a run folder, of which the best checkpoint counts, else the last.

    Raises:
        AgentError: when there is none.
    """
    where = Path(path).expanduser()
    if where.is_dir():
        for name in ("best.safetensors", "last.safetensors"):
            if (where / name).is_file():
                return where / name
        raise AgentError(f"{where}: no best.safetensors or last.safetensors in it; has a training run ended there?")
    if not where.is_file():
        raise AgentError(f"{where}: no such file; name a checkpoint (.safetensors) or the folder of a training run")
    return where


def read_policy(path: str | Path) -> PolicyFile:
    """Read a policy or checkpoint.

    Raises:
        AgentError: when there is none, or it is damaged, of another version, or expects what is no longer there.
    """
    found = find_policy(path)
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise AgentError("a trained policy needs the package safetensors: pip install 'routegym[train]'") from None
    try:
        with safe_open(str(found), framework="np") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        if isinstance(error, OSError) and error.errno == errno.EACCES:
            raise AgentError(f"{found}: may not be read") from None
        raise AgentError(f"{found}: damaged or no safetensors file ({error}); use another checkpoint") from None
    if metadata.get("format") != FORMAT:
        raise AgentError(f"{found}: not a policy of this version ({metadata.get('format')!r} is not {FORMAT!r})")
    fields = json.loads(metadata["policy"])
    spec = PolicySpec(**{**fields, "hidden": tuple(fields["hidden"])})
    check_spec(spec, str(found))
    weights = {name[len(_PREFIX) :]: array for name, array in tensors.items() if name.startswith(_PREFIX)}
    for name, array in weights.items():
        if not np.isfinite(array).all():
            raise AgentError(f"{found}: {name} holds numbers that are not finite; use an earlier checkpoint")
    rest = {name: array for name, array in tensors.items() if not name.startswith(_PREFIX)}
    return PolicyFile(found, spec, weights, rest, metadata)


def check_spec(spec: PolicySpec, where: str) -> None:
    """Raise AgentError unless the policy's observation and action exist here and mean what they meant."""
    if spec.observation not in OBSERVATIONS or spec.action not in ACTIONS:
        raise AgentError(f"{where}: expects observation {spec.observation!r} and action {spec.action!r}, unknown here")
    now = OBSERVATIONS[spec.observation]
    if spec.observation_version != now:
        raise AgentError(
            f"{where}: trained on version {spec.observation_version} of the {spec.observation} observation, this is "
            f"version {now}; train it again, or use the version of RouteGym that it was trained with"
        )
