"""Rewards are what their terms say: on driven routes, and on states made by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from sim_world import smoke

from agents.autopilot import Autopilot
from envs import RouteEnv, RouteVectorEnv
from envs.rewards import PRESETS, TERMS, RewardSettings, RewardSpec, make_reward, register_term
from envs.rewards.comfort_terms import judge_comfort, sample_motion
from envs.rewards.hazards import collision_ahead, desired_share, off_the_road
from envs.rewards.memory import empty_rewards
from envs.rewards.rewarder import Rewarder
from envs.rewards.terms import REGISTERED
from envs.world import EpisodeStart, WorldBatch
from leaderboard_adapters.criteria_state import LAYOUT, RED_LIGHT, RouteEnd
from leaderboard_adapters.records import INFRACTION_NAMES
from simulator.actors import spawn_actor
from simulator.blueprints import blueprint_index
from simulator.state import EGO, Role

FORWARD = np.array([0.5, 0.0])
EVERY_TERM = RewardSpec({name: 1.0 for name in TERMS})


def drive(reward: str | RewardSpec, *, frame_skip: int = 2, seed: int = 0, limit: int = 4010) -> dict:
    """The autopilot over the smoke routes: rewards, terms and results by world."""
    count = len(smoke().routes)
    env = RouteVectorEnv(count, smoke(), reward=reward, frame_skip=frame_skip)
    env.reset(seed=seed, options={"route": list(range(count))})
    agent = Autopilot()
    agent.bind(env.batch)
    done = np.zeros(count, bool)
    rewards, terms, results = np.zeros(count), {}, [None] * count
    for _ in range(limit // frame_skip):
        control = agent.act()
        _, reward_now, terminated, truncated, infos = env.step(
            np.stack([control[:, 0] - control[:, 1], control[:, 2]], 1)
        )
        rewards += np.where(done, 0.0, reward_now)
        for name, value in infos["reward_terms"].items():
            terms[name] = terms.get(name, 0.0) + np.where(done, 0.0, value)
        for b in np.flatnonzero((terminated | truncated) & ~done):
            results[b] = infos["result"][b]
        done |= terminated | truncated
        if done.all():
            break
    return {"rewards": rewards, "terms": terms, "results": results, "done": done}


class World:
    """One running world with its reward, to be set by hand."""

    def __init__(self, spec: RewardSpec, route: int = 0, ticks: int = 0) -> None:
        self.batch = WorldBatch(smoke(), 1)
        self.batch.reset(0, EpisodeStart(route, 0))
        self.rewarder = Rewarder(spec, self.batch)
        self.rewarder.begin(0)
        for _ in range(ticks):
            self.batch.tick(np.array([[0.6, 0.0, 0.0]]))
        self.w, self.c = self.batch.worlds[0], self.batch.criteria[0]
        self.net = self.batch.routes.net

    def alone(self) -> World:
        """Take everybody else away."""
        self.w["kind"][1:] = 0
        return self

    def put(self, ahead: float, right: float, blueprint: str = "vehicle.lincoln.mkz_2020", turned: float = 0.0) -> int:
        """Stand somebody beside the ego; returns the slot."""
        yaw = float(self.w["yaw"][EGO])
        x = self.w["x"][EGO] + ahead * math.cos(yaw) - right * math.sin(yaw)
        y = self.w["y"][EGO] + ahead * math.sin(yaw) + right * math.cos(yaw)
        z = self.w["z"][EGO]
        slot = spawn_actor(self.w, blueprint_index(blueprint), int(Role.SCENARIO), x, y, z, yaw + turned)
        assert slot > 0
        return slot

    @contextmanager
    def tick(self) -> Iterator[None]:
        """A tick whose outcome the body sets."""
        self.rewarder.start_step()
        self.c["tick"] += 1
        yield
        self.rewarder.tick()

    def terms(self) -> dict[str, float]:
        return {name: float(value[0]) for name, value in self.rewarder.finish_step()[1].items()}


# Driven routes


@pytest.mark.parametrize("name", PRESETS)
def test_the_terms_add_up_to_the_reward(name: str) -> None:
    driven = drive(name, limit=300)
    assert set(driven["terms"]) == set(PRESETS[name].weights)
    np.testing.assert_allclose(sum(driven["terms"].values()), driven["rewards"], atol=1e-9)


def test_the_leaderboard_reward_of_an_episode_is_its_driving_score() -> None:
    driven = drive("leaderboard")
    assert driven["done"].all()
    for reward, result in zip(driven["rewards"], driven["results"], strict=True):
        if result is not None:
            assert reward == pytest.approx(result.score_composed, abs=0.006)  # which rounds completion


def test_terms_count_what_the_result_lists() -> None:
    driven = drive(
        RewardSpec(
            {name: 1.0 for name in ("completion", "progress", "infractions", *INFRACTION_NAMES) if name in TERMS}
        )
    )
    for b, result in enumerate(driven["results"]):
        if result is None:
            continue
        assert driven["terms"]["completion"][b] == pytest.approx(result.score_route, abs=0.006)
        assert driven["terms"]["progress"][b] == pytest.approx(result.score_route / 100 * result.route_length, abs=0.05)
        listed = [i.name for i in result.infractions if i.name != "min_speed_infractions"]
        assert driven["terms"]["infractions"][b] == len(listed)
        for name in set(INFRACTION_NAMES) - {"min_speed_infractions"}:
            assert driven["terms"][name][b] == listed.count(name)


def test_sums_do_not_depend_on_the_length_of_a_step() -> None:
    """One tick or five a step, the same pedals: every term adds up to the same, but Roach's own of the wheel."""
    sums = []
    for skip in (1, 5):
        env = RouteEnv(smoke(), reward=EVERY_TERM, frame_skip=skip)
        env.reset(seed=3, options={"route": 2})
        total: dict[str, float] = dict.fromkeys(TERMS, 0.0)
        for _ in range(200 // skip):
            *_, info = env.step(FORWARD)
            for name, value in info["reward_terms"].items():
                total[name] += value
        sums.append(total)
    assert sums[0] == pytest.approx(sums[1], abs=1e-9)


def test_rewards_do_not_depend_on_the_batch() -> None:
    many, alone = drive(EVERY_TERM, limit=200), []
    for b in range(len(smoke().routes)):
        env = RouteVectorEnv(1, smoke(), reward=EVERY_TERM)
        env.reset(seed=b, options={"route": b})
        agent = Autopilot()
        agent.bind(env.batch)
        total = 0.0
        for _ in range(100):
            control = agent.act()
            total += float(env.step(np.stack([control[:, 0] - control[:, 1], control[:, 2]], 1))[1][0])
        alone.append(total)
    assert many["rewards"].tolist() == alone


@pytest.mark.parametrize("name", ["carl", "roach", "dense"])
def test_a_restored_world_is_rewarded_alike(name: str) -> None:
    env = RouteEnv(smoke(), reward=name)
    env.reset(seed=1, options={"route": 1})
    for _ in range(60):
        env.step(FORWARD)
    snapshot = env.snapshot()
    rewards = [env.step(FORWARD)[1] for _ in range(20)]
    env.restore(snapshot)
    assert [env.step(FORWARD)[1] for _ in range(20)] == rewards


def test_terms_of_a_step_are_not_overwritten_by_the_next() -> None:
    env = RouteVectorEnv(2, smoke())
    env.reset(seed=0)
    first = env.step(np.tile(FORWARD, (2, 1)))[4]["reward_terms"]["progress"]
    kept = first.copy()
    for _ in range(20):
        env.step(np.tile(FORWARD, (2, 1)))
    assert (first == kept).all()


# Ends


def test_an_infraction_ends_the_episode_in_its_tick() -> None:
    """Full throttle against whatever stands there; frame_skip 7, so that the end lies within a step."""
    spec = RewardSpec(
        {"progress": 1.0}, terminate_on=("collisions_vehicle", "collisions_layout", "collisions_pedestrian")
    )
    env = RouteEnv(smoke(), reward=spec, frame_skip=7)
    route = next(k for k, r in enumerate(smoke().routes) if r.route.scenario_type == "ParkedObstacle")
    env.reset(seed=0, options={"route": route})
    for _ in range(400):
        *_, terminated, truncated, info = env.step(np.array([1.0, 0.0]))
        if terminated or truncated:
            break
    assert (terminated, truncated) == (True, False)
    hits = [i for i in info["result"].infractions if i.name.startswith("collisions")]
    assert len(hits) == 1
    assert hits[0].tick == info["tick"]
    assert info["result"].status == "Failed"


def test_without_stops_the_route_goes_on_after_a_collision() -> None:
    env = RouteEnv(smoke(), reward="simple")
    env.reset(
        seed=0,
        options={"route": next(k for k, r in enumerate(smoke().routes) if r.route.scenario_type == "ParkedObstacle")},
    )
    hit = False
    for _ in range(400):
        _, _, terminated, truncated, info = env.step(np.array([1.0, 0.0]))
        hit = hit or bool(env._vector.batch.criteria["counts"][0, : LAYOUT + 3].sum())
        if hit:
            break
    assert hit
    assert not terminated


def test_leaving_the_road_can_end_the_episode() -> None:
    env = RouteEnv(smoke(), reward=RewardSpec({"off_road": -5.0}, terminate_on=("off_road",)))
    env.reset(seed=0, options={"route": 0})
    for _ in range(200):
        _, reward, terminated, truncated, _ = env.step(np.array([0.7, 0.6]))
        if terminated or truncated:
            break
    assert (terminated, truncated) == (True, False)
    assert reward == -5.0


def test_an_episode_interrupted_from_outside_is_truncated() -> None:
    env = RouteEnv(smoke(), reward="carl")
    env.reset(seed=0)
    env.step(FORWARD)
    env._vector.batch.finish(0, RouteEnd.INTERRUPTED)
    assert env.step(FORWARD)[2:4] == (False, True)


# CaRL, by hand


def carl(world: World, gained: float = 1.0) -> float:
    with world.tick():
        world.c["route_percent"] += gained
    return world.terms()["carl"]


def test_carl_is_route_completion_in_percent_points() -> None:
    assert carl(World(PRESETS["carl"]).alone(), 0.7) == pytest.approx(0.7)


def test_carl_falls_with_speed_above_the_limit() -> None:
    world = World(PRESETS["carl"]).alone()
    limit = float(world.net.lane_speed_limit[world.w["lane"][EGO]])
    for over, factor in ((0.0, 1.0), (1.115, 0.5), (2.23, 0.0), (9.0, 0.0)):
        world.w["speed"][EGO] = limit + over
        assert carl(world) == pytest.approx(factor)


def test_carl_gives_nothing_outside_the_lanes() -> None:
    world = World(PRESETS["carl"]).alone()
    world.c["outside_lane"] = 1
    assert carl(world) == 0.0


def test_carl_is_halved_for_a_while_after_a_near_miss() -> None:
    world = World(RewardSpec({"carl": 1.0}, settings=RewardSettings(penalty_seconds=0.2))).alone()
    world.c["tick"] = 1
    slot = world.put(8.0, 0.0)
    for name in ("vx", "vy", "speed"):
        world.w[name][EGO] = {"vx": math.cos, "vy": math.sin}.get(name, lambda _: 1.0)(world.w["yaw"][EGO]) * 8.0
    assert carl(world) == pytest.approx(0.5)
    world.w["kind"][slot] = 0
    assert [carl(world) for _ in range(5)] == pytest.approx([0.5, 0.5, 0.5, 1.0, 1.0])


def test_carl_is_halved_when_the_ego_stays_beside_its_lanes_centre() -> None:
    world = World(PRESETS["carl"]).alone()
    world.w["lane_offset"][EGO] = 0.6
    assert [carl(world) for _ in range(62)] == pytest.approx([1.0] * 60 + [0.5] * 2)


@pytest.mark.parametrize(
    ("code", "hint"), [(LAYOUT, -1.0), (RED_LIGHT, -1.0), (INFRACTION_NAMES.index("stop_infraction"), 0.0)]
)
def test_carl_hints_at_collisions_and_red_lights(code: int, hint: float) -> None:
    world = World(PRESETS["carl"]).alone()
    with world.tick():
        world.c["counts"][code] += 1
    assert world.terms()["carl_hint"] == hint
    assert world.c["finished"] == RouteEnd.INTERRUPTED


# Comfort


def test_comfort_bounds_are_judged_as_the_filters_of_scipy_do() -> None:
    signal = pytest.importorskip("scipy.signal")
    draws = np.random.default_rng(5)
    world = World(EVERY_TERM)
    m = world.rewarder.memory[0]
    history: list[tuple[float, float, float, float]] = []
    vx = vy = yaw = 0.0
    exceeded = []
    for _ in range(120):
        ax, ay, turn = draws.normal(0.0, 2.5), draws.normal(0.0, 2.5), draws.normal(0.0, 0.06)
        vx, vy, yaw = vx + 0.1 * ax, vy + 0.1 * ay, yaw + turn
        world.w["vx"][EGO], world.w["vy"][EGO] = vx, vy
        world.w["yaw"][EGO] = math.atan2(math.sin(yaw), math.cos(yaw))
        if not history:
            m["last_vx"], m["last_vy"] = vx - 0.1 * ax, vy - 0.1 * ay
            yaw = float(world.w["yaw"][EGO])
        sample_motion(world.w, m)
        judge_comfort(m, 10, 2)
        c, s = math.cos(yaw), math.sin(yaw)
        history = (history + [(ax * c + ay * s, -ax * s + ay * c, math.hypot(ax, ay), yaw)])[-15:]
        lon, lat, size, heading = np.array(history).T
        n = len(lon)
        if n < 8:
            assert m["exceeded"] == 0
            continue

        def smooth(v: np.ndarray) -> np.ndarray:
            return signal.savgol_filter(v, min(8, len(v)), 2)

        def slope(v: np.ndarray) -> float:
            return float(signal.savgol_filter(smooth(v), len(v), 2, deriv=1, delta=0.1)[-1])

        rate = signal.savgol_filter(heading, 5, 2, deriv=1, delta=0.1)[-1]
        acceleration = signal.savgol_filter(heading, 5, 3, deriv=2, delta=0.1)[-1]
        wanted = (
            not -4.05 <= smooth(lon)[-1] <= 2.40,
            abs(smooth(lat)[-1]) > 4.89,
            abs(slope(size)) > 8.37,
            abs(slope(lon)) > 4.13,
            abs(rate) > 0.95,
            abs(acceleration) > 1.93,
        )
        assert m["exceeded"] == sum(wanted)
        exceeded.append(sum(wanted))
    assert len(set(exceeded)) >= 3


# Roach, by hand


@pytest.mark.parametrize(("ahead", "right", "turned", "share"), [
    (9.0, 0.0, 0.0, 0.2), (7.0, 0.0, 0.0, 0.0), (9.6, 0.0, 0.0, 1.0), (5.0, 6.0, 0.0, 1.0), (8.5, 0.0, math.pi, 1.0),
])  # fmt: skip
def test_roach_slows_down_for_who_is_ahead_and_not_oncoming(
    ahead: float, right: float, turned: float, share: float
) -> None:
    world = World(PRESETS["roach"]).alone()
    world.c["stop_target"] = -1
    world.w["light_state"][:] = 2
    world.put(ahead, right, turned=turned)
    assert desired_share(world.w, world.c, world.net, world.batch.routes.arrays) == pytest.approx(share, abs=1e-6)


def test_roach_wants_six_metres_a_second_on_a_free_road() -> None:
    world = World(PRESETS["roach"]).alone()
    world.w["light_state"][:] = 2
    for speed, value in ((6.0, 0.5), (3.0, 0.25), (0.0, 0.0), (12.0, 0.0)):
        world.w["speed"][EGO] = speed
        with world.tick():
            pass
        assert world.terms()["roach_speed"] == pytest.approx(value)  # half of it a tick: its steps are two ticks


def test_roach_ends_with_minus_one_and_the_speed() -> None:
    world = World(PRESETS["roach"]).alone()
    world.w["speed"][EGO] = 4.0
    with world.tick():
        world.c["counts"][LAYOUT] += 1
    assert world.terms()["roach_end"] == pytest.approx(-5.0)


# Geometry


def test_collision_ahead_looks_nine_tenths_of_a_second_ahead() -> None:
    world = World(EVERY_TERM).alone()
    yaw = float(world.w["yaw"][EGO])
    world.w["speed"][EGO], world.w["vx"][EGO], world.w["vy"][EGO] = 10.0, 10.0 * math.cos(yaw), 10.0 * math.sin(yaw)
    lengths = 2.0 * float(world.w["half_length"][EGO])
    near = world.put(lengths + 8.9, 0.0)
    assert collision_ahead(world.w)
    world.w["kind"][near] = 0
    world.put(lengths + 9.1, 0.0)
    assert not collision_ahead(world.w)
    world.w["speed"][EGO] = 0.05
    assert not collision_ahead(world.w)


def test_off_the_road_means_no_corner_on_it() -> None:
    world = World(EVERY_TERM)
    assert not off_the_road(world.w, world.net)
    world.w["x"][EGO] += 5000.0
    assert off_the_road(world.w, world.net)


# Specifications


@pytest.mark.parametrize("name", PRESETS)
def test_a_reward_survives_json(name: str, tmp_path) -> None:
    spec = PRESETS[name]
    assert RewardSpec.from_json(spec.to_json()) == spec
    spec.save(tmp_path / "reward.json")
    assert make_reward(str(tmp_path / "reward.json")) == spec
    assert json.loads(spec.to_json())["version"] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_reward("carel"), "no reward 'carel'; did you mean 'carl'"),
        (lambda: RewardSpec({"progres": 1.0}), "did you mean 'progress'"),
        (lambda: RewardSpec({"progress": math.nan}), "finite"),
        (lambda: RewardSpec({"progress": 1.0}, ("redlight",)), "did you mean 'red_light'"),
        (lambda: RewardSpec({"progress": 1.0}, version=9), "version 9"),
        (lambda: RewardSpec({}, settings=RewardSettings(lane_seconds=-1.0)), "lane_seconds"),
        (lambda: RewardSpec.from_json("[1]"), "weights"),
        (lambda: RewardSpec.from_json("{"), "JSON"),
        (lambda: RewardSpec.from_dict({"weights": {}, "wieghts": {}}), "did you mean 'weights'"),
        (lambda: RewardSpec.from_dict({"weights": {}, "settings": {"ttc": 1}}), "reward setting"),
        (lambda: RouteEnv(smoke(), reward="rocah"), "did you mean 'roach'"),
    ],
)
def test_impossible_rewards_are_refused_with_a_hint(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_term_of_ones_own_counts_by_name() -> None:
    register_term("slowness", lambda batch: 1.0 / (1.0 + batch.worlds["speed"][:, EGO]))
    try:
        env = RouteVectorEnv(2, smoke(), reward={"weights": {"slowness": -2.0, "progress": 1.0}})
        env.reset(seed=0)
        _, rewards, *_, infos = env.step(np.zeros((2, 2)))
        terms = infos["reward_terms"]
        assert terms["slowness"].tolist() == [-2.0 / (1.0 + s) for s in env.batch.worlds["speed"][:, EGO].tolist()]
        assert (rewards == terms["slowness"] + terms["progress"]).all()
    finally:
        del REGISTERED["slowness"]
    with pytest.raises(ValueError, match="built in"):
        register_term("progress", lambda batch: np.zeros(batch.num_worlds))


def test_memory_is_a_record_that_copies_as_bytes() -> None:
    assert empty_rewards(3).nbytes == 3 * empty_rewards(1).nbytes
