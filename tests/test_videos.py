"""Films: the replay is the drive, its dashboard tells the score, the file plays, and failures cost films only."""

from __future__ import annotations

import dataclasses
import itertools
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from driven_run import driven_run
from sim_world import smoke

import run_eval
from envs.views.dashboard import CAPTION_SECONDS
from envs.views.painter import FramePainter
from envs.world import EpisodeStart, WorldBatch
from evaluation.recorder import Recorder
from evaluation.replay import Replay
from evaluation.video import VideoStyle, encode, frames_of
from evaluation.witness import Witness
from leaderboard_adapters.recordings import Recording, read_recording
from simulator.errors import EvaluationError, SensorError
from simulator.state import EGO, TICK_SECONDS

av = pytest.importorskip("av", reason="videos need PyAV, of the extra 'view'")

SMALL = VideoStyle(width=320, height=180)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder of two routes, to be changed at will."""
    return Path(shutil.copytree(driven_run(), tmp_path / "blind"))


@pytest.fixture(scope="module")
def collision() -> Recording:
    return read_recording(driven_run() / "recordings" / "RouteScenario_110_rep0.npz")


@pytest.fixture(scope="module")
def painter() -> FramePainter:
    return FramePainter(smoke().network, SMALL.width, SMALL.height)


def tell(capsys: pytest.CaptureFixture[str], *arguments: object, code: int) -> str:
    assert run_eval.main(["video", *map(str, arguments)]) == code
    return capsys.readouterr().err


# Replay


def test_a_replay_shows_the_drive_as_it_was() -> None:
    batch = WorldBatch(smoke(), 1, log=True)
    batch.reset(0, EpisodeStart(route=9, seed=0))
    witness, recorder = Witness(batch), Recorder(batch)
    kept: dict[int, np.ndarray] = {}
    for _ in range(160):
        batch.tick(np.array([[0.6, 0.0, 0.02]]))
        recorder.note(new=witness.look())
        kept[int(batch.worlds["tick"][0])] = batch.worlds[0].copy()
    replay = Replay(recorder.recording({}, witness, ()))

    for tick in (4, 80, 101, 160):
        was, shown = kept[tick], replay.world(tick)
        for name in ("x", "y", "yaw", "speed", "throttle", "brake", "steer"):
            assert shown[name][EGO] == pytest.approx(was[name][EGO], abs=0.006), name
        assert shown["weather"] == pytest.approx(was["weather"], rel=1e-5)
        there = {int(was["actor_id"][slot]): slot for slot in range(1, int(was["num_slots"])) if was["kind"][slot]}
        slots = range(1, int(shown["num_slots"]))
        assert len(slots) > 5
        for slot in slots:
            other = there[int(shown["actor_id"][slot])]
            assert shown["blueprint"][slot] == was["blueprint"][other]
            assert shown["x"][slot] == pytest.approx(was["x"][other], abs=0.05)
            assert shown["y"][slot] == pytest.approx(was["y"][other], abs=0.05)
        known = list(replay.recording.light_states(tick))
        assert (shown["light_state"][known] == was["light_state"][known]).all()


def test_the_dashboard_follows_the_score(collision: Recording) -> None:
    replay = Replay(collision)
    hit = next(i["tick"] for i in collision.header["infractions"] if i["name"] == "collisions_vehicle")
    before, at, later = (replay.dashboard(tick) for tick in (hit - 1, hit, hit + round(CAPTION_SECONDS / TICK_SECONDS)))
    assert (before.captions, before.penalty) == ((), 1.0)
    assert before.score == pytest.approx(before.percent)
    assert [caption.factor for caption in at.captions] == [0.6]
    assert at.captions[0].text.startswith("Hit vehicle: ")
    assert at.score == pytest.approx(0.6 * at.percent)
    assert later.captions == ()
    assert len(later.marks) == 1

    end = replay.dashboard(replay.num_ticks)
    assert end.status == collision.header["status"]
    assert end.score == collision.header["score_composed"]


def test_the_dashboard_tells_what_the_scenario_does(collision: Recording) -> None:
    replay = Replay(collision)
    told = [replay.dashboard(tick) for tick in range(0, replay.num_ticks, 10)]
    assert {dash.scenario for dash in told} == {"ParkingCutIn_1"}
    assert any("'car' sets out" in dash.phase for dash in told)


# Frames


def test_the_same_moment_gives_the_same_bytes(collision: Recording, painter: FramePainter) -> None:
    first = painter.paint(Replay(collision).world(150), Replay(collision).path, Replay(collision).dashboard(150))
    replay, other = Replay(collision), FramePainter(smoke().network, SMALL.width, SMALL.height)
    other.paint(replay.world(10), replay.path, replay.dashboard(10))
    again = other.paint(replay.world(150), replay.path, replay.dashboard(150))
    assert first.shape == (180, 320, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)


@pytest.mark.parametrize("view", ["chase", "front", "above"])
def test_every_view_shows_the_world_and_the_dashboard(collision: Recording, painter: FramePainter, view: str) -> None:
    replay = Replay(collision)
    painter.view = view
    plain = painter.paint(replay.world(150), replay.path)
    told = painter.paint(replay.world(150), replay.path, replay.dashboard(150))
    assert plain.std() > 10
    changed = (plain != told).any(axis=2)
    assert changed[-60:, :80].any()  # instruments
    assert changed[:70, -55:].mean() > 0.9  # map
    assert not changed[80:110, 100:200].any()


def test_an_unknown_view_is_refused(painter: FramePainter) -> None:
    with pytest.raises(SensorError, match="'behind': must be one of chase, front, above"):
        painter.view = "behind"


# Files


def test_the_film_is_what_browsers_play(collision: Recording, painter: FramePainter, tmp_path: Path) -> None:
    painter.view = "chase"
    frames = list(itertools.islice(frames_of(Replay(collision), painter, 10), 5))
    path = tmp_path / "films" / "one.mp4"
    assert encode(path, iter(frames), SMALL) == 5
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (320, 180, 10)
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(decoded) == 5
    for frame, source in zip(decoded, frames):
        assert np.abs(frame.astype(int) - source).mean() < 8
    assert [file.name for file in path.parent.iterdir()] == ["one.mp4"]


@pytest.mark.parametrize("fps", [10, 20])
def test_a_film_lasts_as_long_as_the_drive(collision: Recording, painter: FramePainter, fps: int) -> None:
    ego = {name: column[:41] for name, column in collision.ego.items()}  # two seconds
    count = sum(1 for _ in frames_of(Replay(dataclasses.replace(collision, ego=ego)), painter, fps))
    assert count == 2 * fps + 1 + 1.5 * fps


def test_a_full_disk_leaves_no_half_film(collision: Recording, painter: FramePainter, tmp_path: Path) -> None:
    frames = itertools.chain.from_iterable(itertools.repeat(frames_of(Replay(collision), painter, 10), 1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(EvaluationError, match=r"one\.mp4: the video cannot be written: "):
            encode(tmp_path / "one.mp4", itertools.islice(frames, 12), SMALL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


# The command


def test_one_route_of_a_run_is_filmed_and_the_other_told_why_not(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "recordings" / "RouteScenario_111_rep0.npz").unlink()
    (run / "films").mkdir()
    (run / "films" / "RouteScenario_7_rep0.partial.mp4").write_bytes(b"half a film, left by a process that was ended")
    told = tell(capsys, run, "--size", "320x180", "--out", run / "films", code=3)
    assert [file.name for file in (run / "films").iterdir()] == ["RouteScenario_110_rep0.mp4"]
    assert "no video of route 111: there is no " in told
    assert "RouteScenario_110_rep0.mp4: " in told


def test_a_damaged_recording_costs_its_film(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "recordings" / "RouteScenario_111_rep0.npz").write_bytes(b"PK")
    told = tell(capsys, run, "--route", "111", "--size", "320x180", code=3)
    assert "no video of RouteScenario_111_rep0: " in told
    assert "not a recording, or damaged" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--route", "11"], "has no route '11'; did you mean 11"),
        (["--route", "110", "--repetition", "4"], "no repetition 4"),
        (["--codec", "h265x"], "codec 'h265x': this PyAV cannot encode"),
        (["--codec", "aac"], "codec 'aac': this PyAV cannot encode"),
        (["--size", "321x180"], "--size 321x180: even numbers of pixels"),
        (["--size", "big"], "--size big: must be WIDTHxHEIGHT"),
        (["--fps", "25"], "--fps 25: must be 10 or 20"),
        (["--view", "side"], "--view side: must be one of chase, front, above"),
        (["--maps", "nowhere"], "--maps nowhere: no such folder"),
        (["--workers", "0"], "--workers 0: must be at least 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in tell(capsys, driven_run(), *arguments, code=2)


def test_what_is_no_run_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{tmp_path}: no run folder" in tell(capsys, tmp_path, code=2)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    told = tell(capsys, driven_run(), "--out", tmp_path / "file" / "films", code=2)
    assert f"{tmp_path / 'file' / 'films'}: cannot be made: " in told


def test_without_the_package_a_run_is_scored_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    options = ["--routes", "smoke", "--route-ids", "111", "--agent", "constant:0.5", "--video", "all"]
    assert run_eval.main([*options, "--out", str(tmp_path / "out")]) == 0
    assert "no videos: videos need PyAV" in capsys.readouterr().err
    assert (tmp_path / "out" / "merged.json").is_file()
    assert "pip install 'routegym[view]'" in tell(capsys, tmp_path / "out", code=2)


def test_films_need_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--routes", "smoke", "--video", "all", "--no-recordings", "--out", str(tmp_path / "out")]
    assert run_eval.main(options) == 2
    assert "--video makes films from recordings" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
