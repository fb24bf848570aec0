"""PDMS and EPDMS of plans, from a running world.

```python
scores = score_plans(env, plans)                        # plans: float64[G, 8, 2 or 3], every 0.5 s, the ego's frame
scores = score_plans(env, plans, traffic="reactive")    # everybody answers to each plan
print(scores.pdms, scores.sub.no_collision)
```

`frozen` is NAVSIM's way: each plan is tracked by a simulated vehicle, and everybody else does the same whatever it does
(what they do while the ego drives the reference plan). `reactive` forks the world: the ego tracks each plan with the
controller of trajectory actions, in the world itself, and everybody reacts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.actions.settings import Trajectory
from envs.chunk import EnvSnapshot
from envs.pdm_reference import OFFSETS, SHARES, STATES, propose_all, scratch
from envs.route_env import RouteEnv
from envs.vector_env import RouteVectorEnv
from envs.world import WorldBatch
from leaderboard_adapters.pdms.aggregate import SubScores, epdms, make_scores, pdms
from leaderboard_adapters.pdms.comfort import is_comfortable, plans_agree
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
    SPEED,
    TLC,
    TTC,
    YAW,
    X,
    Y,
    lanes_on_route,
    record_traffic,
    score_states,
)
from leaderboard_adapters.pdms.simulate import Body, Driven, interpolate_plan, plan_headings, track_plans
from simulator.dynamics import REAR_AXLE
from simulator.state import EGO, MAX_ACTORS, TICK_SECONDS

_WHEELBASE = 2.85  # m, of the ego vehicle
_RECORDED = 51  # states of everybody else: 5 s, for what lies 0.9 s beyond the plan
_TICKS = 2  # a state


class Traffic(NamedTuple):
    """Five seconds of everybody else: `actors` float64[A, 51, 5], `sizes` float64[A, 3], `lights` int64[51, lights]."""

    actors: np.ndarray
    sizes: np.ndarray
    lights: np.ndarray

    @classmethod
    def empty(cls) -> Traffic:
        """To be recorded into."""
        lights = np.zeros((_RECORDED, 1024), np.int64)
        return cls(np.zeros((MAX_ACTORS, _RECORDED, ACTOR_COLUMNS)), np.zeros((MAX_ACTORS, SIZE_COLUMNS)), lights)

    def note(self, w: np.void, state: int) -> None:
        """Record a state."""
        record_traffic(w, self.actors, state, self.sizes)
        self.lights[state] = w["light_state"]


class PlanScores(NamedTuple):
    """What G plans are worth."""

    pdms: np.ndarray
    """float64[G], NAVSIM 1.1."""
    epdms: np.ndarray
    """float64[G], NAVSIM 2.2."""
    sub: SubScores
    """Sub-scores (progress and TTC as of the second version)."""
    raw_progress: np.ndarray
    """float64[G] metres along the route."""
    reference_progress: float
    """Metres of the reference planner."""
    states: tuple[np.ndarray, np.ndarray, np.ndarray]
    """Longitudinal, lateral acceleration, yaw, float64[G, 41] each: `previous` of the scores half a second later."""


def score_plans(
    env: RouteEnv | RouteVectorEnv,
    plans: np.ndarray,
    *,
    index: int = 0,
    interval: float = 0.5,
    traffic: str = "frozen",
    history: np.ndarray | None = None,
    previous: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> PlanScores:
    """Score candidate plans from the present of a world. The environment itself is not changed.

    Args:
        env: where the world runs. index: which of its worlds.
        plans: float64[G, K, 2 or 3] x ahead, y right (m) of the vehicle's origin, and yaw (rad), every `interval` s up
            to 4 s at least; without yaw the way gives it.
        traffic: "frozen" or "reactive".
        history: float64[H, 3] longitudinal and lateral acceleration and yaw of the ego before now, 0.1 s apart, for HC.
        previous: `states` of the plans made 0.5 s ago, one for all or one each, for EC.

    Raises:
        ValueError: for plans of another shape, shorter than 4 s, or not finite; for another traffic.
    """
    vector = env._vector if isinstance(env, RouteEnv) else env
    plans = np.asarray(plans, np.float64)
    if plans.ndim != 3 or not len(plans) or plans.shape[2] not in (2, 3) or plans.shape[1] * interval < 4.0 - 1e-9:
        raise ValueError(f"plans are float[G, K, 2 or 3] over 4 s or more; got shape {plans.shape} every {interval} s")
    if not np.isfinite(plans).all():
        raise ValueError("plans hold finite numbers; these have NaN or infinite ones")
    if traffic not in ("frozen", "reactive"):
        raise ValueError(f'traffic is "frozen" or "reactive", got {traffic!r}')
    if plans.shape[2] == 2:
        plans = plan_headings(plans)
    scene = _Scene(vector.batch, index)
    snapshot = vector.snapshot(index)
    reference = scene.reference_plan()
    if traffic == "frozen":
        future = _rollout(vector, index, snapshot, reference[None, :, :2])[1][0]
        return scene.judge(*scene.simulate(plans, interval), [future] * len(plans), reference, history, previous)
    centres, futures, motion = _rollout(vector, index, snapshot, plans[..., :2], interval)
    return scene.judge(centres, motion, futures, reference, history, previous)


class _Scene:
    """One world at one moment, as the scorer needs it."""

    def __init__(self, batch: WorldBatch, index: int) -> None:
        self.w = batch.worlds[index]
        routes = batch.routes
        self.net, self.routes, self.route = routes.net, routes.arrays, int(self.w["route"])
        first, last = routes.arrays.path_first[self.route], routes.arrays.path_first[self.route + 1]
        self.on_route = lanes_on_route(routes.network.arrays, np.asarray(routes.arrays.path_lane[first:last]))
        self.half_length, self.half_width = float(self.w["half_length"][EGO]), float(self.w["half_width"][EGO])
        self.body = Body(2.0 * self.half_length, 2.0 * self.half_width, _WHEELBASE, REAR_AXLE)
        self.pose = (float(self.w["x"][EGO]), float(self.w["y"][EGO]), float(self.w["yaw"][EGO]))

    def simulate(self, plans: np.ndarray, interval: float) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Track plans: states of the box centre float64[G, 41, 4] (x, y, yaw, speed; world), and their motion."""
        rear = plans.copy()
        d = self.body.rear_to_centre
        rear[..., 0] += d * (1.0 - np.cos(plans[..., 2]))
        rear[..., 1] -= d * np.sin(plans[..., 2])
        driven = track_plans(interpolate_plan(rear, interval), float(self.w["speed"][EGO]), 0.0, self.body)
        return self._centres(driven), (*driven.centre_acceleration(self.body), driven.yaw)

    def _centres(self, driven: Driven) -> np.ndarray:
        x0, y0, yaw0 = self.pose
        x, y = driven.centre(self.body)
        x = x - self.body.rear_to_centre
        c, s = np.cos(yaw0), np.sin(yaw0)
        return np.stack([x0 + x * c - y * s, y0 + x * s + y * c, yaw0 + driven.yaw, driven.speed], -1)

    def to_ego(self, poses: np.ndarray) -> np.ndarray:
        """Poses float64[N, T, 3] of the world in the ego's frame."""
        x0, y0, yaw0 = self.pose
        dx, dy = poses[..., 0] - x0, poses[..., 1] - y0
        c, s = np.cos(yaw0), np.sin(yaw0)
        turn = poses[..., 2] - yaw0
        return np.stack([dx * c + dy * s, -dx * s + dy * c, np.arctan2(np.sin(turn), np.cos(turn))], -1)

    def reference_plan(self) -> np.ndarray:
        """float64[40, 3] every 0.1 s: the reference's best proposal, everybody forecast at constant velocity."""
        poses = np.zeros((len(SHARES) * len(OFFSETS), STATES, 3))
        propose_all(self.w, self.net, self.routes, np.array(SHARES), np.array(OFFSETS), *scratch(), poses)
        plans = self.to_ego(poses)[:, 1:]
        centres, motion = self.simulate(plans, 0.1)
        scores, raw = self.road_scores(centres, [self._forecast()] * len(plans))
        gates = scores[:, NC] * scores[:, DAC] * scores[:, DDC]
        way = raw * gates / max(float((raw * gates).max()), 1e-6)
        value = gates * (5.0 * way + 5.0 * scores[:, TTC] + 2.0 * is_comfortable(*motion))
        return plans[int(np.argmax(value))]

    def _forecast(self) -> Traffic:
        """Everybody goes on at constant velocity."""
        future = Traffic.empty()
        future.note(self.w, 0)
        t = np.arange(_RECORDED) * 0.1
        now = future.actors[:, :1]
        future.actors[:] = now
        future.actors[..., 0] += self.w["vx"][:, None] * t
        future.actors[..., 1] += self.w["vy"][:, None] * t
        future.lights[:] = future.lights[0]
        return future

    def road_scores(
        self, centres: np.ndarray, futures: list[Traffic], version: int = 2
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sub-scores float64[G, 6] and progress float64[G] of states of the box centre."""
        scores = np.zeros((len(centres), 6))
        raw = np.zeros(len(centres))
        for g, (states, future) in enumerate(zip(centres, futures, strict=True)):
            ego = np.zeros((STATES, COLUMNS))
            ego[:, [X, Y, YAW, SPEED]] = states
            ego[0, PROGRESS] = self.w["path_s"]
            score_states(
                ego, float(self.w["z"][EGO]), self.body.rear_to_centre, self.half_length, self.half_width,
                future.actors, future.sizes, future.lights, self.net, self.routes, self.route, self.on_route,
                version, scores[g],
            )  # fmt: skip
            raw[g] = max(ego[-1, PROGRESS] - ego[0, PROGRESS], 0.0)
        return scores, raw

    def judge(
        self,
        centres: np.ndarray,
        motion: tuple[np.ndarray, ...],
        futures: list[Traffic],
        reference: np.ndarray,
        history: np.ndarray | None,
        previous: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
    ) -> PlanScores:
        """All scores of states and their motion (longitudinal, lateral acceleration, yaw)."""
        count = len(centres)
        best = self.simulate(reference[None], 0.1)[0]
        referred, reference_raw = self.road_scores(best, futures[:1])
        later, raw = self.road_scores(centres, futures, 2)
        first, _ = self.road_scores(centres, futures, 1)
        gates = later[:, NC] * later[:, DAC] * later[:, DDC] * later[:, TLC]
        gate = float(referred[0, NC] * referred[0, DAC])
        way = float(reference_raw[0])
        comfort = is_comfortable(*motion)
        past = comfort
        if history is not None and len(history):
            before = np.asarray(history, np.float64)
            whole = [
                np.concatenate([np.broadcast_to(before[:, k], (count, len(before))), motion[k]], 1) for k in range(3)
            ]
            # the plan's yaw counts from the ego's; so does the past's
            whole[2] = np.concatenate(
                [np.broadcast_to(before[:, 2] - self.pose[2], (count, len(before))), motion[2]], 1
            )
            past = is_comfortable(*whole)
        agreement = np.full(count, np.nan)
        if previous is not None:
            earlier = tuple(np.broadcast_to(each, motion[0].shape) for each in previous)
            agreement = plans_agree(motion, earlier)  # type: ignore[arg-type]
        sub = make_scores(
            count,
            no_collision=later[:, NC], drivable_area=later[:, DAC], driving_direction=later[:, DDC],
            traffic_lights=later[:, TLC], time_to_collision=later[:, TTC], lane_keeping=later[:, LK],
            comfort=comfort, history_comfort=past, extended_comfort=agreement,
            progress=ego_progress(raw, way, gates, gate * float(referred[0, DDC] * referred[0, TLC])),
        )  # fmt: skip
        old_gates = first[:, NC] * first[:, DAC]
        old = sub._replace(time_to_collision=first[:, TTC], progress=ego_progress(raw, way, old_gates, gate, version=1))
        return PlanScores(pdms(old), epdms(sub), sub, raw, way, (motion[0], motion[1], motion[2]))


def _rollout(
    vector: RouteVectorEnv, index: int, snapshot: EnvSnapshot, plans: np.ndarray, interval: float = 0.1
) -> tuple[np.ndarray, list[Traffic], tuple[np.ndarray, ...]]:
    """Drive plans float64[G, K, 2] for five seconds in copies of a world.

    Returns states of the box centre float64[G, 41, 4], everybody's way in each copy, and the ego's motion.
    """
    if interval < 0.5:  # as few points as a trajectory action takes
        stride = round(0.5 / interval)
        plans, interval = plans[:, stride - 1 :: stride], interval * stride
    plans = plans[:, : round(4.0 / interval)]
    count = len(plans)
    fork = RouteVectorEnv(
        count,
        vector.batch.routes,
        action=Trajectory(plans.shape[1], interval, reach=1e4),
        frame_skip=_TICKS,
        pedestrians=vector.batch.ambient.pedestrians,
        parked_cars=vector.batch.ambient.parked_cars,
    )
    batch, chunk = fork.batch, fork._chunks[0]
    for b in range(count):
        batch.restore(b, snapshot.world)
    futures = [Traffic.empty() for _ in range(count)]
    states = np.zeros((count, _RECORDED, 7))

    def note(state: int) -> None:
        w = batch.worlds
        for b in range(count):
            futures[b].note(w[b], state)
        for k, name in enumerate(("x", "y", "yaw", "speed", "ax", "ay", "path_s")):
            states[:, state, k] = w[name] if name == "path_s" else w[name][:, EGO]

    note(0)
    chunk.actions.decide(plans)
    for state in range(1, _RECORDED):
        for _ in range(_TICKS):
            chunk.actions.control()
            batch.tick(chunk.actions.controls)
        note(state)
    yaw = np.unwrap(states[:, :, 2], axis=1)
    c, s = np.cos(yaw), np.sin(yaw)
    # accelerations over 0.1 s: the records hold those of the last tick
    vx, vy = states[..., 3] * c, states[..., 3] * s
    ax = np.gradient(vx, _TICKS * TICK_SECONDS, axis=1)
    ay = np.gradient(vy, _TICKS * TICK_SECONDS, axis=1)
    longitudinal, lateral = ax * c + ay * s, -ax * s + ay * c
    keep = slice(0, STATES)
    centres = np.stack([states[..., 0], states[..., 1], yaw, states[..., 3]], -1)[:, keep]
    return centres, futures, (longitudinal[:, keep], lateral[:, keep], yaw[:, keep] - yaw[:, :1])
