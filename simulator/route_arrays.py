"""What kernels know about the routes of a batch: packed arrays, built once when routes are loaded.

R routes; `*_first` are CSR offsets per route. A world names its route by `w.route`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RouteArrays(NamedTuple):
    """Packed arrays of R routes on one town."""

    stream: np.ndarray  # int64[R] hash of the route's id: which draws its worlds make, wherever it stands in a batch
    # the dense route as the leaderboard traces it (docs/bench2drive.md 1.2)
    trace_first: np.ndarray  # int32[R+1]
    trace_x: np.ndarray  # float64[N] metres
    trace_y: np.ndarray  # float64[N]
    trace_z: np.ndarray  # float64[N]
    trace_yaw: np.ndarray  # float64[N] rad
    trace_pitch: np.ndarray  # float64[N] rad
    trace_distance: np.ndarray  # float64[N] accumulated 3-D length from the route's start, metres
    trace_option: np.ndarray  # int8[N] RoadOption
    # the drivable path: lane centres with blended lane changes, going on beyond the route's end
    path_first: np.ndarray  # int32[R+1]
    path_x: np.ndarray  # float64[M] metres, uniform spacing `path_step`
    path_y: np.ndarray  # float64[M]
    path_z: np.ndarray  # float64[M]
    path_yaw: np.ndarray  # float64[M] rad
    path_curvature: np.ndarray  # float64[M] 1/m, positive turns right
    path_lane: np.ndarray  # int32[M] lane index
    path_lane_s: np.ndarray  # float64[M] metres on that lane
    path_step: np.ndarray  # float64[R] metres between path points
    path_end: np.ndarray  # float64[R] metres along the path where the route ends
    # junctions that the route crosses, in order
    crossing_first: np.ndarray  # int32[R+1]
    crossing_junction: np.ndarray  # int32[K] junction index
    crossing_enter: np.ndarray  # float64[K] metres along the path
    crossing_exit: np.ndarray  # float64[K]
    # lanes that lead into (or out of) a crossing's junction, for background traffic
    entry_first: np.ndarray  # int32[K+1]
    entry_lane: np.ndarray  # int32[...] lane that ends at the junction; not the route's own road
    exit_first: np.ndarray  # int32[K+1]
    exit_lane: np.ndarray  # int32[...] lane that begins at the junction, on the route's own exit road
    # weather keyframes (scenarios/weather.py)
    weather_first: np.ndarray  # int32[R+1]
    weather_percent: np.ndarray  # float64[Q]
    weather_values: np.ndarray  # float64[Q, 14]
    # polylines that scripted actors follow ("tracks"), numbered over the whole batch
    track_first: np.ndarray  # int32[T+1]
    track_x: np.ndarray  # float64[U] metres, uniform spacing `track_step`
    track_y: np.ndarray  # float64[U]
    track_z: np.ndarray  # float64[U]
    track_yaw: np.ndarray  # float64[U] rad
    track_step: np.ndarray  # float64[T] metres
