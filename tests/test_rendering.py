"""Rendering of the environments, the window, and driving by hand; on a screen that is not there."""

from __future__ import annotations

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from sim_world import smoke

import run_eval
from envs import RouteEnv, RouteVectorEnv  # registers the ids
from envs.views.live import LiveDashboard
from envs.views.painter import VIEWS
from envs.views.render import EnvRenderer, next_view
from envs.views.window import Keys, Window
from envs.world import EpisodeStart, WorldBatch
from evaluation.drive_command import Wheel
from simulator.errors import SensorError

ENV_ID = "RouteGym/MiniTown-v0"
SIZE = (320, 180)
FORWARD = np.array([0.6, 0.0], np.float32)


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.fixture
def pygame():  # type: ignore[no-untyped-def]
    return pytest.importorskip("pygame", reason="windows need pygame, of the extra 'view'")


# Environments


def test_check_env_finds_nothing_in_all_render_modes(pygame) -> None:  # type: ignore[no-untyped-def]
    env = gym.make(ENV_ID, routes=smoke(), render_mode="rgb_array", render_size=SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value is.*")
        check_env(env.unwrapped)
    assert env.metadata["render_modes"] == ["human", "rgb_array"]


@pytest.mark.parametrize(("frame_skip", "fps"), [(1, 20), (2, 10), (4, 5)])
def test_frames_are_as_many_as_steps(frame_skip: int, fps: int) -> None:
    env = RouteEnv(smoke(), frame_skip=frame_skip, render_mode="rgb_array", render_size=SIZE)
    assert env.metadata["render_fps"] == fps
    assert RouteEnv.metadata["render_fps"] == 10


def test_a_frame_shows_the_world_of_now() -> None:
    env = RouteEnv(smoke(), render_mode="rgb_array", render_size=SIZE)
    env.reset(seed=3, options={"route": 0})
    first = env.render()
    assert first is not None
    assert (first.shape, first.dtype) == ((180, 320, 3), np.uint8)
    assert np.array_equal(first, env.render())
    snapshot = env.snapshot()
    for _ in range(20):
        env.step(FORWARD)
    assert not np.array_equal(first, env.render())
    env.restore(snapshot)
    assert np.array_equal(first, env.render())


def test_rendering_leaves_no_trace_in_the_world() -> None:
    watched = RouteEnv(smoke(), render_mode="rgb_array", render_size=SIZE)
    alone = RouteEnv(smoke())
    for env in (watched, alone):
        env.reset(seed=5, options={"route": 2})
    for _ in range(10):
        watched.render()
        assert np.array_equal(watched.step(FORWARD)[0], alone.step(FORWARD)[0])


def test_a_vector_environment_draws_every_world() -> None:
    env = gym.make_vec(ENV_ID, num_envs=3, routes=smoke(), render_mode="rgb_array", render_size=SIZE)
    env.reset(seed=0, options={"route": [0, 4, 0]})
    frames = env.render()
    assert isinstance(frames, tuple)
    assert [frame.shape for frame in frames] == [(180, 320, 3)] * 3
    assert not np.array_equal(frames[0], frames[1])
    single = RouteVectorEnv(1, smoke(), render_mode="rgb_array", render_size=SIZE)
    single.reset(seed=0, options={"route": 0})
    shown = single.render()
    assert shown is not None
    assert np.array_equal(shown[0], frames[0])
    env.close()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"render_mode": "ansi"}, ValueError, "render_mode 'ansi': must be one of 'human', 'rgb_array', or None"),
        ({"render_mode": "rgb_array", "render_size": (64, 64)}, SensorError, "a frame of 64 x 64"),
        ({"render_mode": "rgb_array", "render_view": "side"}, SensorError, "view 'side': must be one of chase"),
        ({}, gym.error.Error, "made without a render mode"),
    ],
    ids=["mode", "size", "view", "none"],
)
def test_what_cannot_be_drawn_is_refused(options: dict, error: type[Exception], message: str) -> None:
    def draw() -> None:
        env = RouteEnv(smoke(), **options)
        env.reset(seed=0)
        env.render()

    with pytest.raises(error, match=message):
        draw()


def test_render_wants_a_reset() -> None:
    with pytest.raises(gym.error.ResetNeeded):
        RouteEnv(smoke(), render_mode="rgb_array", render_size=SIZE).render()


# Dashboard of a running world


def test_the_dashboard_tells_score_scenario_and_infractions() -> None:
    batch = WorldBatch(smoke(), 1)
    batch.reset(0, EpisodeStart(route=9, seed=0))
    live = LiveDashboard(batch)
    seen, phases = set(), set()
    for _ in range(500):
        batch.tick(np.array([[0.5, 0.0, 0.0]]))
        dash = live.read(0)
        seen |= {caption.text for caption in dash.captions}
        phases.add(dash.phase)
        if dash.status:
            break
    assert dash.title.startswith("route 110  ParkingCutIn")
    assert dash.status == "Completed"
    assert any(text.startswith("Hit vehicle: ") for text in seen)
    assert any(phase.startswith("waits until ") for phase in phases)
    assert dash.score == pytest.approx(dash.percent * dash.penalty)


# Window


def test_a_window_shows_and_hears(pygame) -> None:  # type: ignore[no-untyped-def]
    window = Window()
    assert window.keys() == Keys()
    window.show(np.zeros((180, 320, 3), np.uint8), 1000)
    for key in (pygame.K_TAB, pygame.K_p, pygame.K_r, pygame.K_q, pygame.K_ESCAPE):
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    assert window.keys() == Keys(quit=True, view=True, pause=True, reset=True, reverse=True)
    assert window.keys() == Keys()
    window.close()
    assert not window.is_open


def test_a_window_that_is_closed_stays_closed_and_the_world_goes_on(pygame) -> None:  # type: ignore[no-untyped-def]
    env = RouteEnv(smoke(), frame_skip=1, render_mode="human", render_size=SIZE)
    env.reset(seed=0)
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    for tick in (1, 2):
        assert env.step(FORWARD)[4]["tick"] == tick
    assert not pygame.display.get_init()
    assert env.render() is None
    env.close()


def test_without_a_screen_no_window_runs_unseen(
    pygame,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if not pygame.display.get_init():
        pygame.display.init()
        seen = pygame.display.get_driver() not in ("dummy", "offscreen")
        pygame.display.quit()
        if seen:
            pytest.skip("there is a screen")
    assert run_eval.main(["drive", "--routes", "smoke", "--route-id", "110", "--size", "320x180"]) == 2
    assert "no window can be opened: " in capsys.readouterr().err


def test_tab_goes_round_the_views() -> None:
    names = list(VIEWS)
    assert [next_view(name) for name in names] == [*names[1:], names[0]]


def test_a_window_without_the_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pygame", None)
    with pytest.raises(SensorError, match=r"a window needs pygame .*pip install 'routegym\[view\]'"):
        EnvRenderer(WorldBatch(smoke(), 1), "human", 2)


# Driving by hand


def test_pedals_and_wheel_follow_the_keys() -> None:
    wheel = Wheel()
    for _ in range(40):
        control = wheel.follow(Keys(forward=True, right=True), speed=2.0)
    throttle, brake, steer = control[0]
    assert throttle > 0.8
    assert brake == 0.0
    assert 0.5 < steer <= 1.0
    fast = Wheel()
    for _ in range(40):
        control = fast.follow(Keys(right=True), speed=25.0)
    assert 0.0 < control[0, 2] < 0.5 * steer  # at speed the wheel turns less
    for _ in range(40):
        control = wheel.follow(Keys(back=True), speed=10.0)
    assert control[0].tolist() == [0.0, 1.0, 0.0]


def test_reverse_needs_a_standing_vehicle() -> None:
    wheel = Wheel()
    wheel.follow(Keys(reverse=True), speed=5.0)
    assert not wheel.reverse
    wheel.follow(Keys(reverse=True), speed=0.0)
    assert wheel.reverse


def test_the_drive_command_drives_and_tells(pygame, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    options = ["drive", "--routes", "smoke", "--route-id", "110", "--size", "320x180", "--ticks", "3"]
    assert run_eval.main(options) == 0
    assert "route 110 ParkingCutIn: not driven to its end; 0.0 % driven" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--route-id", "9999"], "9999"),
        (["--size", "10x10"], "a frame of 10 x 10: must be at least 320 x 180 pixels"),
        (["--ticks", "0"], "--ticks 0: must be at least 1"),
        (["--view", "side"], "view 'side': must be one of chase, front, above"),
        (["--pedestrians", "2"], "--pedestrians, --parked-cars: "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_options_of_drive_are_refused(
    pygame,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],  # type: ignore[no-untyped-def]
) -> None:
    assert run_eval.main(["drive", "--routes", "smoke", *arguments]) == 2
    assert message in capsys.readouterr().err
