"""PDMS and EPDMS of what was really driven: windows of four seconds, one every half second.

```python
windows = WindowScores(batch)
windows.begin(0)                     # after reset
batch.tick(controls); windows.tick() # ... at every tick
windows.closed_loop(0)               # mean PDMS, EPDMS of the windows so far
```

Everybody's real way counts, so traffic reacts by nature. Progress is measured against a planner that follows the route
at the speed limit behind whoever is ahead (`envs.pdm_reference.free_progress`), asked at the start of each window.
There is no second plan to agree with, so EC does not apply. The same numbers are the reward terms `pdms` and `epdms`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from envs.pdm_reference import ego_row, free_progress, scratch
from envs.world import WorldBatch
from leaderboard_adapters.pdms.aggregate import SubScores, epdms, make_scores, pdms
from leaderboard_adapters.pdms.comfort import is_comfortable
from leaderboard_adapters.pdms.progress import ego_progress
from leaderboard_adapters.pdms.score import (
    ACTOR_COLUMNS,
    COLUMNS,
    DAC,
    DDC,
    LK,
    NC,
    PROGRESS,
    SIZE_COLUMNS,
    TLC,
    TTC,
    judge_collisions,
    judge_place,
    judge_road,
    judge_ttc,
    lanes_on_route,
    record_traffic,
)
from simulator.dynamics import REAR_AXLE
from simulator.state import EGO, MAX_ACTORS

STATES = 41
STRIDE = 5  # states from window to window
_HISTORY = 15  # states of driving before a window that comfort takes in
_TICKS = 2  # a state
_TTC_STATES = 32
SECONDS = 0.5  # that a window stands for


class Window(NamedTuple):
    """One window's scores."""

    tick: int
    """Tick at its end."""
    pdms: float
    epdms: float
    sub: SubScores


class WindowScores:
    """Scores windows of B worlds as they are driven. What it remembers travels with snapshots."""

    def __init__(self, batch: WorldBatch, keep: bool = True) -> None:
        """
        Args:
            keep: remember all windows, for `closed_loop`; otherwise the newest only.
        """
        self._batch, self._keep = batch, keep
        count = batch.num_worlds
        self._ego = np.zeros((count, STATES, COLUMNS))
        self._actors = np.zeros((count, MAX_ACTORS, STATES, ACTOR_COLUMNS))
        self._sizes = np.zeros((count, MAX_ACTORS, SIZE_COLUMNS))
        self._motion = np.zeros((count, STATES + _HISTORY, 3))
        self._reference = np.zeros((count, STATES))
        self._number = np.zeros((count, 2), np.int64)  # states so far, last tick
        self._on_route: dict[int, np.ndarray] = {}
        self.windows: list[list[Window]] = [[] for _ in range(count)]

    def begin(self, index: int) -> None:
        """World `index` has been reset."""
        self._number[index] = 0, self._batch.worlds["tick"][index]
        self.windows[index] = []
        self._note(index)

    def tick(self) -> np.ndarray:
        """Take in the tick that the worlds have just made; float64[B, 2] PDMS and EPDMS of new windows, else 0."""
        found = np.zeros((self._batch.num_worlds, 2))
        ticks = self._batch.worlds["tick"]
        for b in np.flatnonzero(ticks != self._number[:, 1]):
            self._number[b, 1] = ticks[b]
            if ticks[b] % _TICKS:
                continue
            self._note(int(b))
            states = int(self._number[b, 0])
            if states >= STATES and (states - STATES) % STRIDE == 0:
                window = self._score(int(b))
                if not self._keep:
                    self.windows[b].clear()
                self.windows[b].append(window)
                found[b] = window.pdms, window.epdms
        return found

    def closed_loop(self, index: int) -> tuple[float, float]:
        """Mean PDMS and EPDMS of a world's windows so far; NaN before the first, after 4 s."""
        windows = self.windows[index]
        if not windows:
            return math.nan, math.nan
        return float(np.mean([w.pdms for w in windows])), float(np.mean([w.epdms for w in windows]))

    def snapshot(self, index: int) -> tuple[Any, ...]:
        """Copy of what is remembered of one world."""
        return (*(array[index].copy() for array in self._arrays), list(self.windows[index]))

    def restore(self, index: int, snapshot: tuple[Any, ...]) -> None:
        """Put a copy back."""
        for array, copy in zip(self._arrays, snapshot[:-1], strict=True):
            array[index] = copy
        self.windows[index] = list(snapshot[-1])

    @property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self._ego, self._actors, self._sizes, self._motion, self._reference, self._number

    def _lanes(self, route: int) -> np.ndarray:
        if route not in self._on_route:
            arrays = self._batch.routes.arrays
            lanes = np.asarray(arrays.path_lane[arrays.path_first[route] : arrays.path_first[route + 1]])
            self._on_route[route] = lanes_on_route(self._batch.routes.network.arrays, lanes)
        return self._on_route[route]

    def _note(self, b: int) -> None:
        """Record a state: the ego and its place on the road, everybody else, and what the reference would drive."""
        w, routes = self._batch.worlds[b], self._batch.routes
        n = int(self._number[b, 0])
        row = self._ego[b, n % STATES]
        ego_row(w, row)
        judge_place(
            row, float(w["z"][EGO]), float(w["half_length"][EGO]), float(w["half_width"][EGO]), routes.net,
            routes.arrays, int(w["route"]), self._lanes(int(w["route"])), w["light_state"],
        )  # fmt: skip
        record_traffic(w, self._actors[b], n % STATES, self._sizes[b])
        yaw = float(w["yaw"][EGO])
        c, s = math.cos(yaw), math.sin(yaw)
        ax, ay = float(w["ax"][EGO]), float(w["ay"][EGO])
        self._motion[b, n % (STATES + _HISTORY)] = ax * c + ay * s, -ax * s + ay * c, yaw
        if n % STRIDE == 0:
            self._reference[b, n % STATES] = free_progress(w, routes.net, routes.arrays, *scratch())
        self._number[b, 0] = n + 1

    def _score(self, b: int) -> Window:
        w = self._batch.worlds[b]
        n = int(self._number[b, 0])
        order = np.arange(n - STATES, n) % STATES
        ego = np.ascontiguousarray(self._ego[b][order])
        actors = np.ascontiguousarray(self._actors[b][:, order])
        half_length, half_width = float(w["half_length"][EGO]), float(w["half_width"][EGO])
        scores = np.zeros(6)
        judge_road(ego, scores)
        shape = (REAR_AXLE, half_length, half_width, actors, self._sizes[b])
        scores[NC] = judge_collisions(ego, *shape)
        all_states = judge_ttc(ego, *shape, STATES)
        scores[TTC] = judge_ttc(ego, *shape, _TTC_STATES)
        past = min(n, STATES + _HISTORY)
        motion = self._motion[b][np.arange(n - past, n) % (STATES + _HISTORY)].T[:, None]
        comfort = is_comfortable(*(each[:, -STATES:] for each in motion))
        raw = max(float(ego[-1, PROGRESS] - ego[0, PROGRESS]), 0.0)
        reference = float(self._reference[b, order[0]])
        gates = scores[NC] * scores[DAC] * scores[DDC] * scores[TLC]
        sub = make_scores(
            1,
            no_collision=scores[NC], drivable_area=scores[DAC], driving_direction=scores[DDC],
            traffic_lights=scores[TLC], time_to_collision=scores[TTC], lane_keeping=scores[LK],
            comfort=comfort, history_comfort=is_comfortable(*motion), progress=ego_progress([raw], reference, gates),
        )  # fmt: skip
        old = sub._replace(
            time_to_collision=np.array([all_states]),
            progress=ego_progress([raw], reference, scores[NC] * scores[DAC], version=1),
        )
        return Window(int(w["tick"]), float(pdms(old)[0]), float(epdms(sub)[0]), sub)
