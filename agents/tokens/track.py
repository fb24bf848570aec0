"""From a trajectory to pedals and steering, tick by tick: plans in the world, and the kernel that tracks them.

A plan is float64[PLAN_TICKS + 1, 3]: x, y (metres, world) and yaw (radians), one row a tick from the decision on.
Beyond the trajectory it goes on with its last motion for half a second: a late decision finds the vehicle on a course.
"""

from __future__ import annotations

import math

import numpy as np

from agents.tokens.poses import compose
from envs.path_control import steer_on_line
from simulator.dynamics import pedals
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS

PLAN_TICKS = 120  # 6 s, the longest plan with its extension
EXTENSION = 10  # ticks beyond the trajectory
SAFE_STOP = 3.0  # m/s2, how the vehicle stops that has no plan

_PREVIEW = 0.12  # s, for the lag of the steering
_SPEED_TICKS = 6  # ticks ahead at which the plan's speed is to be met
_SEARCH = 12  # ticks around the plan's own time in which the vehicle's place on it is looked for
_FOLLOW_GAIN = 0.8  # 1/s, speed that a metre of delay adds
_BEND_SPAN = 2  # ticks to both sides over which course and curvature are taken


def lay_plan(trajectory: np.ndarray, interval: float, pose: np.ndarray, speed: float) -> tuple[np.ndarray, int]:
    """A plan in the world, and its last tick.

    Args:
        trajectory: float64[W, 3] in the ego's frame at the decision, waypoints `interval` seconds apart.
        pose: float64[3] x, y, yaw of the ego at the decision, world.
        speed: m/s at the decision.

    Raises:
        ValueError: for a trajectory that is not finite, or longer than a plan can be.
    """
    trajectory = np.asarray(trajectory, np.float64)
    if trajectory.ndim != 2 or trajectory.shape[1] != 3 or not len(trajectory) or not np.isfinite(trajectory).all():
        raise ValueError(f"a trajectory is finite, of shape (W, 3); got shape {trajectory.shape}")
    ticks = round(len(trajectory) * interval / TICK_SECONDS)
    if ticks + EXTENSION > PLAN_TICKS:
        most = (PLAN_TICKS - EXTENSION) * TICK_SECONDS
        raise ValueError(f"a plan reaches at most {most} s, got {ticks * TICK_SECONDS} s")
    knots = np.concatenate([np.zeros((1, 3)), trajectory])
    knots[:, 2] = np.unwrap(knots[:, 2])
    tangents = np.gradient(knots, axis=0) if len(knots) > 2 else np.repeat(knots[1:] - knots[:1], 2, axis=0)
    tangents[0, :2] = speed * interval, 0.0
    at = np.arange(ticks + 1) * TICK_SECONDS / interval
    local = _hermite(knots, tangents, at)
    extended = [local]
    step = _relative_step(local[-2], local[-1])
    here = local[-1]
    for _ in range(EXTENSION):
        here = compose(here, step)
        extended.append(here[None])
    plan = np.zeros((PLAN_TICKS + 1, 3))
    plan[: ticks + EXTENSION + 1] = compose(pose, np.concatenate(extended))
    return plan, ticks + EXTENSION


def _hermite(knots: np.ndarray, tangents: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Cubic through `knots` at parameters 0, 1, ...; rows at `at`."""
    k = np.minimum(at.astype(np.int64), len(knots) - 2)
    t = (at - k)[:, None]
    a, b, ta, tb = knots[k], knots[k + 1], tangents[k], tangents[k + 1]
    return np.asarray(
        (2 * t**3 - 3 * t**2 + 1) * a + (t**3 - 2 * t**2 + t) * ta + (3 * t**2 - 2 * t**3) * b + (t**3 - t**2) * tb
    )


def _relative_step(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    c, s = math.cos(before[2]), math.sin(before[2])
    dx, dy = after[0] - before[0], after[1] - before[1]
    return np.array([dx * c + dy * s, -dx * s + dy * c, after[2] - before[2]])


@kernel
def place_on_plan(plan, last, age, x, y):  # type: ignore[no-untyped-def]
    """Tick of the plan nearest to the point (x, y), near the plan's own time `age`."""
    best = min(age, last)
    gap = 1e18
    for k in range(max(age - _SEARCH, 0), min(age + _SEARCH, last) + 1):
        d = (plan[k, 0] - x) * (plan[k, 0] - x) + (plan[k, 1] - y) * (plan[k, 1] - y)
        if d < gap - 1e-9:
            gap = d
            best = k
    return best


@kernel
def track_plan(w, plan, last, age, control):  # type: ignore[no-untyped-def]
    """Control float64[3] of an ego whose plan is `age` ticks old; beyond its end (`last`) a safe stop."""
    speed = w.speed[EGO]
    if age >= last:
        throttle, brake = pedals(speed, -SAFE_STOP)
        control[0] = 0.0
        control[1] = 1.0 if speed < 0.3 else brake
        control[2] = 0.0
        return
    # along: the plan's speed a little later, and what is behind time
    a = min(age + _SPEED_TICKS - 1, last - 1)
    dx = plan[a + 1, 0] - plan[a, 0]
    dy = plan[a + 1, 1] - plan[a, 1]
    forward = dx * math.cos(plan[a, 2]) + dy * math.sin(plan[a, 2])
    planned = max(forward, 0.0) / TICK_SECONDS
    late = (plan[age, 0] - w.x[EGO]) * math.cos(w.yaw[EGO]) + (plan[age, 1] - w.y[EGO]) * math.sin(w.yaw[EGO])
    late = min(max(late, -2.0), 2.0)
    wanted = max(planned + _FOLLOW_GAIN * late, 0.0)
    if planned < 0.05:
        wanted = min(wanted, max(late, 0.0))
    acceleration = (wanted - speed) / (_SPEED_TICKS * TICK_SECONDS)
    throttle, brake = pedals(speed, min(max(acceleration, -9.0), 4.0))
    if planned < 0.1 and speed < 0.3 and late < 0.3:
        throttle, brake = 0.0, 1.0
    control[0] = throttle
    control[1] = brake
    # across: the line through the plan where the vehicle will be when its wheels have followed
    ahead = speed * _PREVIEW
    px = w.x[EGO] + ahead * math.cos(w.yaw[EGO])
    py = w.y[EGO] + ahead * math.sin(w.yaw[EGO])
    k = place_on_plan(plan, last, age + int(_PREVIEW / TICK_SECONDS), px, py)
    back = max(k - _BEND_SPAN, 0)
    on = min(k + _BEND_SPAN, last)
    first = math.hypot(plan[k, 0] - plan[back, 0], plan[k, 1] - plan[back, 1])
    second = math.hypot(plan[on, 0] - plan[k, 0], plan[on, 1] - plan[k, 1])
    if first + second < 0.05:
        control[2] = 0.0 if speed < 0.3 else w.steer[EGO]
        return
    course = math.atan2(plan[on, 1] - plan[back, 1], plan[on, 0] - plan[back, 0])
    bend = 0.0
    if first > 0.02 and second > 0.02:
        before = math.atan2(plan[k, 1] - plan[back, 1], plan[k, 0] - plan[back, 0])
        after = math.atan2(plan[on, 1] - plan[k, 1], plan[on, 0] - plan[k, 0])
        turn = math.atan2(math.sin(after - before), math.cos(after - before))
        bend = min(max(2.0 * turn / (first + second), -0.25), 0.25)
    control[2] = steer_on_line(w, plan[k, 0], plan[k, 1], course, bend, ahead)


@kernel
def track_plans(worlds, criteria, plans, last, born, controls):  # type: ignore[no-untyped-def]
    """`track_plan` for every world whose route has not ended.

    Args:
        plans: float64[B, PLAN_TICKS + 1, 3]. last: int64[B] their last ticks; -1: no plan.
        born: int64[B] tick of the world at which the plan was made.
        controls: float64[B, 3] throttle, brake, steer, written.
    """
    for b in range(worlds.shape[0]):
        if criteria[b].finished == 0:
            track_plan(worlds[b], plans[b], last[b], worlds[b].tick - born[b], controls[b])
