"""EpisodeSettings: synchronous mode, fixed delta, and what Unreal would do with the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.carla_server import encoding
from simulator.carla_server.encoding import BadArgument
from simulator.state import TICK_SECONDS

LONGEST_DELTA = 2.0  # s


@dataclass(frozen=True)
class Settings:
    """CARLA's settings. Substepping needs none: steps longer than 0.05 s are always divided."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta: float | None = None  # s
    substepping: bool = True
    max_substep_delta: float = 0.01  # s
    max_substeps: int = 10
    max_culling_distance: float = 0.0
    deterministic_ragdolls: bool = False
    tile_stream_distance: float = 3000.0
    actor_active_distance: float = 2000.0
    spectator_as_ego: bool = True

    @property
    def seconds(self) -> float:
        """Simulated time of a tick."""
        return TICK_SECONDS if self.fixed_delta is None else self.fixed_delta

    def wire(self) -> list[Any]:
        """The struct EpisodeSettings."""
        delta: list[Any] = [False] if self.fixed_delta is None else [True, self.fixed_delta]
        return [
            self.synchronous, self.no_rendering, delta, self.substepping, self.max_substep_delta, self.max_substeps,
            self.max_culling_distance, self.deterministic_ragdolls, self.tile_stream_distance,
            self.actor_active_distance, self.spectator_as_ego,
        ]  # fmt: skip


def read_settings(value: Any) -> Settings:
    """Settings that a client sent; a fixed delta of 0 is none, as in CARLA."""
    f = encoding.fields(value, 11, "EpisodeSettings")
    delta = encoding.optional(f[2], "fixed_delta_seconds")
    if delta is not None:
        delta = encoding.number(delta, "fixed_delta_seconds")
        if delta < 0.0 or delta > LONGEST_DELTA:
            raise BadArgument(f"fixed_delta_seconds is {delta}; a tick can be up to {LONGEST_DELTA} s long")
    return Settings(
        synchronous=encoding.flag(f[0], "synchronous_mode"),
        no_rendering=encoding.flag(f[1], "no_rendering_mode"),
        fixed_delta=delta or None,
        substepping=encoding.flag(f[3], "substepping"),
        max_substep_delta=encoding.number(f[4], "max_substep_delta_time"),
        max_substeps=encoding.whole(f[5], "max_substeps", -(1 << 31), (1 << 31) - 1),
        max_culling_distance=encoding.number(f[6], "max_culling_distance"),
        deterministic_ragdolls=encoding.flag(f[7], "deterministic_ragdolls"),
        tile_stream_distance=encoding.number(f[8], "tile_stream_distance"),
        actor_active_distance=encoding.number(f[9], "actor_active_distance"),
        spectator_as_ego=encoding.flag(f[10], "spectator_as_ego"),
    )
