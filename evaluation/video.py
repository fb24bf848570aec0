"""Films of recorded drives: frames drawn again from the recording, H.264 in an MP4 file that browsers play."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from envs.views.painter import HEIGHT, VIEWS, WIDTH, FramePainter
from envs.views.painter import SMALLEST as SMALLEST_FRAME
from evaluation.replay import Replay
from leaderboard_adapters.recordings import read_recording
from scenarios.route_file import read_routes
from scenarios.suites import find_suite
from simulator.errors import EvaluationError, RouteGymError
from simulator.roads.network import RoadNetwork
from simulator.roads.towns import load_named_town
from simulator.state import TICK_SECONDS

FOLDER = "videos"  # of a run folder
SUFFIX = ".mp4"
CODEC = "libx264"
RATES = (10, 20)  # frames a second
LARGEST = 3840  # pixels along a side
HOLD_SECONDS = 1.5  # for which the last frame stands

_OPTIONS = {"libx264": {"preset": "veryfast", "crf": "26", "threads": "1"}}


@dataclass(frozen=True)
class VideoStyle:
    """How a film looks. `view`: a name of `envs.views.painter.VIEWS`; sizes in pixels, `fps` in frames a second."""

    view: str = "chase"
    fps: int = 10
    width: int = WIDTH
    height: int = HEIGHT
    codec: str = CODEC

    def check(self) -> None:
        """Refuse what cannot be made.

        Raises:
            EvaluationError: naming the value, and what is allowed; or the package or codec that is missing.
        """
        if self.view not in VIEWS:
            raise EvaluationError(f"--view {self.view}: must be one of {', '.join(VIEWS)}")
        if self.fps not in RATES:
            raise EvaluationError(f"--fps {self.fps}: must be {' or '.join(map(str, RATES))}")
        for value, least in zip((self.width, self.height), SMALLEST_FRAME):
            if value % 2 or not least <= value <= LARGEST:
                smallest = f"{SMALLEST_FRAME[0]}x{SMALLEST_FRAME[1]}"
                size = f"{self.width}x{self.height}"
                raise EvaluationError(f"--size {size}: even numbers of pixels, at least {smallest}, at most {LARGEST}")
        av = _av()
        try:
            codec = av.codec.Codec(self.codec, "w")
        except ValueError:  # PyAV's UnknownCodecError is one
            codec = None
        if codec is None or codec.type != "video":
            raise EvaluationError(
                f"codec '{self.codec}': this PyAV cannot encode video with it; the usual one is {CODEC}, its "
                "relatives are h264_nvenc, libx265, mpeg4"
            )


@dataclass(frozen=True)
class VideoJob:
    """One film to make. `maps`: folder with the town's map; `route_file`: where a synthetic corridor comes from."""

    recording: str
    out: str
    style: VideoStyle = VideoStyle()
    maps: str = ""
    route_file: str = ""


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise EvaluationError(f"videos need PyAV ({error}): pip install 'routegym[view]'") from None
    return av


def encode(path: Path, frames: Iterator[np.ndarray], style: VideoStyle) -> int:
    """Write frames, RGB uint8[H, W, 3], as an MP4 file, whole or not at all; returns their number.

    Raises:
        EvaluationError: when the codec or the disk fails.
    """
    av = _av()
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(partial), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream(style.codec, rate=style.fps, options=_OPTIONS.get(style.codec, {}))
            stream.width, stream.height, stream.pix_fmt = style.width, style.height, "yuv420p"
            for pixels in frames:
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = count, Fraction(1, style.fps)
                container.mux(stream.encode(frame))
                count += 1
            container.mux(stream.encode(None))
        os.replace(partial, path)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        why = getattr(error, "strerror", "") or error
        raise EvaluationError(f"{path}: the video cannot be written: {why}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return count


def frames_of(replay: Replay, painter: FramePainter, fps: int) -> Iterator[np.ndarray]:
    """The frames of a drive, RGB uint8[H, W, 3]; the last one stands for a while."""
    step = round(1.0 / (fps * TICK_SECONDS))
    ticks = [*range(0, replay.num_ticks, step), replay.num_ticks]
    for tick in ticks:
        frame = painter.paint(replay.world(tick), replay.path, replay.dashboard(tick))
        yield frame
    for _ in range(round(HOLD_SECONDS * fps)):
        yield frame


def make_video(job: VideoJob) -> int:
    """Make one film; returns its number of frames.

    Raises:
        RouteGymError: when the recording, its town, the codec or the disk fails; the message says which.
    """
    recording = read_recording(job.recording)
    network = network_of(recording.header, job.maps, job.route_file)
    style = job.style
    painter = FramePainter(network, style.width, style.height, view=style.view)
    return encode(Path(job.out), frames_of(Replay(recording), painter, style.fps), style)


def network_of(header: Any, maps: str = "", route_file: str = "") -> RoadNetwork:
    """The town of a recording (`header`: its own), rebuilt from the route where it was a synthetic corridor.

    Raises:
        RouteGymError: when the map or the route is not there.
    """
    from envs.routes import load_network

    if not header.get("synthetic"):
        return load_named_town(str(header["town"]), Path(maps) if maps else None)
    route = str(header["route_id"]).removeprefix("RouteScenario_").partition("_rep")[0]
    found = [r for r in read_routes(find_suite(route_file)) if r.id == route] if route_file else []
    if not found:
        raise EvaluationError(f"route {route} was driven on a corridor; its route file is needed to build it again")
    return load_network(found[0], corridor=True)


def make_videos(jobs: Sequence[VideoJob], workers: int, told: Callable[[VideoJob, int, str], None]) -> int:
    """Make films in processes of their own; returns how many could be made.

    A film that fails costs nothing else. `told` hears of each: the job, its number of frames, and what went wrong ('').
    """
    made = 0
    waiting = list(jobs)
    while waiting:
        with ProcessPoolExecutor(min(workers, len(waiting)), multiprocessing.get_context("spawn")) as pool:
            running = [(job, pool.submit(_attempt, job)) for job in waiting]
            waiting = []
            broken = False
            try:
                for job, future in running:
                    try:
                        count, problem = future.result()
                    except BrokenProcessPool:
                        # One of the films under way broke its process. Which one is not known: the first takes the
                        # blame, the others are tried again.
                        if broken:
                            waiting.append(job)
                            continue
                        broken, count, problem = True, 0, "the process that made it died"
                    made += not problem
                    told(job, count, problem)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return made


def _attempt(job: VideoJob) -> tuple[int, str]:
    try:
        return make_video(job), ""
    except RouteGymError as error:
        return 0, str(error)
    except Exception as error:
        return 0, f"{type(error).__name__}: {error}"
