"""The dashboard of a running world: what its records tell now."""

from __future__ import annotations

import math

import numpy as np

from envs.views.dashboard import CAPTION_SECONDS, Caption, Dashboard
from envs.world import WorldBatch
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infraction_words import caption_of
from leaderboard_adapters.infractions import infraction_list, route_completed, route_status
from leaderboard_adapters.scores import penalty_factor, route_scores
from scenarios.director_state import MAX_LIVE, Stage, Status
from scenarios.weather import WEATHER_FIELDS
from scenarios.weather_words import weather_words
from scenarios.wording import StrandWords
from simulator.state import EGO, TICK_SECONDS

_STATES = {Status.NEAR: "ahead", Status.ACTIVE: "running", Status.DONE: "ended", Status.MISSED: "missed"}


class LiveDashboard:
    """Reads the worlds of a batch; nothing is remembered between calls."""

    def __init__(self, batch: WorldBatch) -> None:
        self._batch = batch
        self._words: dict[int, list[StrandWords]] = {}

    def path(self, index: int) -> np.ndarray:
        """float64[n, 2] the drivable path of a world's route, metres."""
        geometry = self._batch.routes.routes[int(self._batch.worlds["route"][index])].geometry
        return np.stack([geometry.path_x, geometry.path_y], axis=1)

    def read(self, index: int, *, agent: str = "", hint: str = "") -> Dashboard:
        """The dashboard of a world now.

        Args:
            agent: who drives, for the heading. hint: a line to show below it.
        """
        batch = self._batch
        w, criteria = batch.worlds[index], batch.criteria[index]
        prepared = batch.routes.routes[int(w["route"])]
        infractions = infraction_list(criteria, batch.routes.network)
        told = [infraction for infraction in infractions if infraction.name != "min_speed_infractions"]
        percent, penalty, score = route_scores(route_completed(criteria), infractions)
        now = int(w["tick"])
        recent = sorted((i for i in told if 0 <= now - i.tick < CAPTION_SECONDS / TICK_SECONDS), key=lambda i: i.tick)
        town = prepared.route.town + (" (synthetic)" if batch.routes.network.synthetic else "")
        weather = weather_words(dict(zip(WEATHER_FIELDS, w["weather"].tolist())))
        scenario, phase = self._phase(index)
        return Dashboard(
            title=f"route {prepared.route.id}  {prepared.route.scenario_type}".strip(),
            subtitle=", ".join(part for part in (town, agent, weather) if part),
            seconds=now * TICK_SECONDS,
            speed=float(w["speed"][EGO]),
            throttle=float(w["throttle"][EGO]),
            brake=float(w["brake"][EGO]),
            steer=float(w["steer"][EGO]),
            percent=percent,
            score=score,
            penalty=penalty,
            scenario=scenario,
            phase=phase,
            captions=tuple(
                Caption(caption_of(i), penalty_factor(i), (now - i.tick) * TICK_SECONDS) for i in recent[-4:]
            ),
            status=route_status(criteria) if criteria["finished"] != RouteEnd.RUNNING else "",
            hint=hint,
        )

    def _phase(self, index: int) -> tuple[str, str]:
        """The scenario that runs, or is next, and what it waits for."""
        batch = self._batch
        director, route = batch.directors[index], int(batch.worlds["route"][index])
        if route not in self._words:
            compiled = batch.routes.routes[route].compiled.scenarios
            self._words[route] = [StrandWords(scenario) for scenario in compiled]
        words = self._words[route]
        for live in range(MAX_LIVE):
            n = int(director["scenario"][live])
            if n < 0 or director["stage"][live] != Stage.RUNNING:
                continue
            scripts = batch.routes.scripts
            first = int(scripts.strand_first[int(scripts.scenario_first[route]) + n])
            rows = [int(director["pc"][live, k]) - int(scripts.begin[first + k]) for k in range(len(words[n]))]
            waits = [text for k, row in enumerate(rows) if (text := words[n].waits(k, row))]
            return words[n].scenario.spec.name, "; ".join(f"waits until {text}" for text in waits) or "running"
        names = [(Status(int(director["status"][n])), each.scenario.spec.name) for n, each in enumerate(words)]
        near = next(((status, name) for status, name in names if status == Status.NEAR), None)
        shown = near or next(((s, name) for s, name in reversed(names) if s in _STATES), None)
        return (shown[1], _STATES[shown[0]]) if shown else ("", "")


def frame_rate(frame_skip: int) -> int:
    """Frames a second of game time when every step of `frame_skip` ticks is a frame."""
    return max(math.floor(1.0 / (frame_skip * TICK_SECONDS) + 0.5), 1)
