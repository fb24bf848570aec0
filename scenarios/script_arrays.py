"""Compiled scripts of a batch of routes: what the director's kernels read."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class ScriptArrays(NamedTuple):
    """Packed tables of R routes with N scenarios, T strands, I instructions, C cast members, F flows.

    The strands of a scenario run side by side, except its last two, which are its setup and its finish.
    """

    scenario_first: np.ndarray  # int32[R+1]
    # scenarios
    trigger_place: np.ndarray  # float64[N, 3] metres, as in the route file
    trigger_distance: np.ndarray  # float64[N] metres along the trace
    timeout: np.ndarray  # int8[N] 1: has a ScenarioTimeout
    strand_first: np.ndarray  # int32[N+1]
    cast_first: np.ndarray  # int32[N+1]
    flow_first: np.ndarray  # int32[N+1]
    # strands and instructions
    begin: np.ndarray  # int32[T+1] offset of a strand's instructions
    op: np.ndarray  # int16[I] Op
    whole: np.ndarray  # int32[I, 3] operands: members, flows, tracks, lanes, flags
    number: np.ndarray  # float64[I, 5] operands: metres, seconds, m/s, coordinates
    # cast
    cast_place: np.ndarray  # float64[C, 4] x, y, z metres, yaw rad
    cast_half_widths_right: np.ndarray  # float64[C]
    cast_hidden: np.ndarray  # int8[C]
    cast_lights: np.ndarray  # int32[C] VehicleLight bits
    cast_choice_first: np.ndarray  # int32[C+1] offset in `choice`
    # flows
    flow_track: np.ndarray  # int32[F] track of RouteArrays
    flow_spacing: np.ndarray  # float64[F, 2] metres
    flow_speed: np.ndarray  # float64[F] m/s
    flow_flags: np.ndarray  # int32[F] DriverFlag
    flow_sink: np.ndarray  # float64[F] metres from the end of the track
    flow_offset: np.ndarray  # float64[F] metres right of the track
    flow_initial: np.ndarray  # int8[F] vehicles at the start: 0 none, 1 outside the junction, 2 everywhere
    flow_junction: np.ndarray  # float64[F, 2] metres along the track between which lies the junction
    flow_choice_first: np.ndarray  # int32[F+1] offset in `choice`
    choice: np.ndarray  # int32[...] blueprints to draw from, of cast then flows
