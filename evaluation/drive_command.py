"""`run_eval.py drive`: a person drives a route, in a window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console

from envs.routes import load_network, prepare_routes
from envs.views.live import LiveDashboard
from envs.views.painter import FramePainter
from envs.views.render import next_view
from envs.views.window import Keys, Window
from envs.world import EpisodeStart, WorldBatch
from evaluation.options import EXIT_OK, DriveOptions
from evaluation.summary import say
from evaluation.video_command import size_of
from leaderboard_adapters.criteria_state import RouteEnd
from leaderboard_adapters.infractions import infraction_list, route_status, scores
from scenarios.route_file import read_routes
from scenarios.route_subset import select_routes
from scenarios.suites import find_suite
from simulator.densities import Ambient
from simulator.errors import EvaluationError
from simulator.state import EGO, TICK_SECONDS

HINT = "arrows or WASD drive   space hand brake   Q reverse   TAB view   P pause   R reset   ESC quit"

_HINT_SECONDS = 8.0
_PEDAL_RATE = 2.5  # per second, of a pedal that is being pressed
_STEER_RATE = 1.6  # per second, of the wheel that is being turned
_RETURN_RATE = 3.5  # per second, of the wheel that is let go
_STEER_SPEED = 9.0  # m/s at which the wheel turns half as far as when standing
_MOST_SKIPPED = 3  # ticks without a frame when drawing cannot keep up


@dataclass
class Wheel:
    """Pedals and wheel that follow the keys, not at once but as a hand and a foot would."""

    throttle: float = 0.0
    brake: float = 0.0
    steer: float = 0.0
    reverse: bool = False

    def follow(self, keys: Keys, speed: float) -> np.ndarray:
        """float64[1, 3] control of the next tick; `speed` in m/s."""
        step = TICK_SECONDS
        if keys.reverse and abs(speed) < 1.0:
            self.reverse = not self.reverse
        self.throttle = min(self.throttle + _PEDAL_RATE * step, 0.85) if keys.forward else 0.0
        self.brake = min(self.brake + _PEDAL_RATE * step, 1.0) if keys.back else 0.0
        turn = float(keys.right) - float(keys.left)
        if turn:
            most = 1.0 / (1.0 + abs(speed) / _STEER_SPEED)
            self.steer = float(np.clip(self.steer + turn * _STEER_RATE * step, -most, most))
        else:
            back = _RETURN_RATE * step
            self.steer -= float(np.clip(self.steer, -back, back))
        return np.array([[self.throttle, self.brake, self.steer]])


def drive(options: DriveOptions) -> int:
    """Carry out `drive`; returns an exit code of `evaluation.options`.

    Raises:
        RouteGymError: for wrong options, or where no window can be opened.
    """
    if options.ticks is not None and options.ticks < 1:
        raise EvaluationError(f"--ticks {options.ticks}: must be at least 1")
    if options.seed < 0:
        raise EvaluationError(f"--seed {options.seed}: must not be negative")
    width, height = size_of(options.size)
    try:
        ambient = Ambient(options.pedestrians, options.parked_cars)
    except ValueError as error:
        raise EvaluationError(f"--pedestrians, --parked-cars: {error}") from None
    route = select_routes(read_routes(find_suite(options.routes)), options.route_id)[0]
    network = load_network(route, options.maps)
    window = Window(f"RouteGym: route {route.id} {route.scenario_type}")
    painter = FramePainter(network, width, height, view=options.view, threads=2)
    batch = WorldBatch(prepare_routes(network, [route]), 1, ambient=ambient)
    session = _Session(batch, painter, window, options.seed)
    try:
        session.run(options.ticks)
    finally:
        window.close()
    console = Console()
    result = session.result()
    say(console, f"route {route.id} {route.scenario_type}: {result}")
    return EXIT_OK


class _Session:
    """The loop of the window: keys, tick, frame."""

    def __init__(self, batch: WorldBatch, painter: FramePainter, window: Window, seed: int) -> None:
        self.batch, self.painter, self.window, self.seed = batch, painter, window, seed
        self.live = LiveDashboard(batch)
        self._begin()

    def _begin(self) -> None:
        self.batch.reset(0, EpisodeStart(route=0, seed=self.seed))
        self.wheel = Wheel()

    def run(self, ticks: int | None) -> None:
        """Until ESC, or for some ticks."""
        paused, done, skipped = False, 0, 0
        self._show(paused)
        while ticks is None or done < ticks:
            began = self.window.milliseconds()
            keys = self.window.keys()
            if keys.quit:
                return
            if keys.view:
                self.painter.view = next_view(self.painter.view)
            if keys.reset:
                self._begin()
                paused = False
            paused ^= keys.pause
            running = self.batch.criteria["finished"][0] == RouteEnd.RUNNING
            if running and not paused:
                self._tick(keys)
            done += 1
            if skipped:
                skipped -= 1
                continue
            self._show(paused)
            late = self.window.milliseconds() - began
            if running and not paused:
                skipped = min(int(late / (1000.0 * TICK_SECONDS)), _MOST_SKIPPED)

    def _tick(self, keys: Keys) -> None:
        world = self.batch.worlds
        control = self.wheel.follow(keys, float(world["speed"][0, EGO]))
        world["hand_brake"][0, EGO] = int(keys.hand_brake)
        world["reverse"][0, EGO] = int(self.wheel.reverse)
        self.batch.tick(control)

    def _show(self, paused: bool) -> None:
        seconds = float(self.batch.worlds["time"][0])
        hint = "paused: P goes on" if paused else HINT if seconds < _HINT_SECONDS else ""
        if self.batch.criteria["finished"][0] != RouteEnd.RUNNING:
            hint = "R drives again   ESC quits"
        if self.wheel.reverse:
            hint = f"REVERSE   {hint}"
        dash = self.live.read(0, agent="human", hint=hint)
        frame = self.painter.paint(self.batch.worlds[0], self.live.path(0), dash)
        self.window.show(frame, 1.0 / TICK_SECONDS)

    def result(self) -> str:
        """How the last drive went, in words."""
        record = self.batch.criteria[0]
        score = scores(record)
        ended = record["finished"] != RouteEnd.RUNNING
        infractions = infraction_list(record, self.batch.routes.network)
        told = [infraction.message for infraction in infractions if infraction.name != "min_speed_infractions"]
        words = [
            route_status(record) if ended else "not driven to its end",
            f"{score.score_route:.1f} % driven",
            f"driving score {score.score_composed:.2f}",
            *told,
        ]
        return "; ".join(words)
