"""Joining a Ray cluster: for evaluations (`evaluation.ray_workers`) and for rollouts (`rl.rollout_ray`).

Ray is optional (the `scale` extra) and imported here only when it is asked for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from simulator.errors import RouteGymError

_WORDS = 240  # characters of an explanation by Ray
_INHERITED = ("ROUTEGYM_", "NUMBA_", "RAYON_", "OMP_", "MKL_", "OPENBLAS_", "HF_", "TORCH_")


def with_address(arguments: Sequence[str]) -> list[str]:
    """A command line in which `--ray` may stand alone; its address is then `auto`."""
    given = list(arguments)
    for k in reversed([k for k, each in enumerate(given) if each == "--ray"]):
        if k + 1 == len(given) or given[k + 1].startswith("-"):
            given.insert(k + 1, "auto")
    return given


@contextlib.contextmanager
def joined_cluster(address: str, *, gpus: float = 0.0, error: type[RouteGymError] = RouteGymError) -> Iterator[Any]:
    """Join a Ray cluster for as long as the context lasts; gives the module `ray`.

    Args:
        address: `HOST:PORT` of its head, or `auto`: the cluster that RAY_ADDRESS names, that of this machine, or a new
            one of this machine alone.
        gpus: that a worker needs, beside one CPU.
        error: what is raised.

    Raises:
        RouteGymError: when Ray is not installed, or there is no such cluster, or it has nothing to run a worker on.
    """
    try:
        import ray
    except ImportError as missing:
        raise error(f"--ray needs Ray ({missing}); install it with: pip install 'routegym[scale]'") from missing
    before = signal.getsignal(signal.SIGTERM) if threading.current_thread() is threading.main_thread() else None
    try:
        ray.init(
            address=None if address == "auto" else address,
            runtime_env={"env_vars": _environment(os.environ)},
            log_to_driver=False,
            logging_level="error",
        )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as refused:
        raise error(f"cannot join the Ray cluster {address}: {refused}") from refused
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)  # Ray puts its own in its place
    try:
        there = ray.cluster_resources()
        for name, wanted in (("CPU", 1.0), ("GPU", gpus)):
            if there.get(name, 0.0) < wanted:
                raise error(
                    f"the Ray cluster {address} has {there.get(name, 0.0):g} {name}s; a worker needs {wanted:g}"
                )
        yield ray
    finally:
        ray.shutdown()


def check_sight(needs: Sequence[str | Path], error: type[RouteGymError] = RouteGymError) -> None:
    """Raise unless this machine, of a cluster, sees the files and folders that a run needs."""
    missing = [str(path) for path in needs if not os.path.exists(path)]
    if missing:
        raise error(
            f"the machine {os.uname().nodename} has no {', '.join(missing)}; all machines of the cluster need the "
            "routes, maps and run folder under the same paths, on a file system that they share"
        )


def how_it_died(error: Exception) -> str:
    """A Ray error in a few words."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, RouteGymError):
        return str(cause)
    if cause is not None:
        return f"{type(cause).__name__}: {cause}"
    # without the first line, which says that it died, and the indented ones, which are ids
    lines = [line for line in str(error).splitlines()[1:] if not line.startswith("\t")]
    text = " ".join(" ".join(lines).split())
    return f"its Ray actor died: {text[:_WORDS]}" if text else f"its Ray actor died ({type(error).__name__})"


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What workers are to find in their environment as processes of this machine would."""
    passed = {name: value for name, value in ours.items() if name.startswith(_INHERITED)}
    return {**passed, "PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)}
