"""Where vehicles halt: the stop lines of a town as rows of numbers, for observations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.roads.network import RoadArrays

STOP, YIELD = 1, 2  # what a sign asks for


class StopLines(NamedTuple):
    """Stop lines across lanes. Columns: x, y (m, world), yaw of the lane (rad), half width (m), and what rules it."""

    light: np.ndarray  # float64[n, 5] last column: index of the traffic light; one row for each light of a lane
    sign: np.ndarray  # float64[m, 5] last column: STOP or YIELD, of lanes without a light


def stop_lines(net: RoadArrays) -> StopLines:
    """All stop lines of a town."""
    light: list[tuple[float, ...]] = []
    sign: list[tuple[float, ...]] = []
    for lane in np.flatnonzero(net.lane_stop_line >= 0.0):
        span = slice(net.lane_first[lane], net.lane_first[lane + 1])
        at = np.arange(span.stop - span.start) * net.lane_step[lane]
        columns = (net.point_x, net.point_y, net.point_yaw, net.point_width)
        x, y, yaw, width = (float(np.interp(net.lane_stop_line[lane], at, column[span])) for column in columns)
        place = (x, y, yaw, 0.5 * width - 0.1)
        after = net.succ_lane[net.succ_first[lane] : net.succ_first[lane + 1]]
        lights = sorted({int(net.lane_light[k]) for k in after} - {-1})
        light += [(*place, float(k)) for k in lights]
        if not lights:
            sign.append((*place, float(STOP if net.lane_stop_sign[lane] >= 0 else YIELD)))
    return StopLines(np.array(light, np.float64).reshape(-1, 5), np.array(sign, np.float64).reshape(-1, 5))
