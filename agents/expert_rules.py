"""Where the ego must halt by rule: lights, stop signs, junctions that cannot be left."""

from __future__ import annotations

import math

from agents.expert_memory import MAX_PATH_LIGHTS
from agents.expert_path import nearest_coarse, to_path
from simulator.kernel import kernel
from simulator.state import EGO, TICK_SECONDS, LightState

_RED = int(LightState.RED)
_YELLOW = int(LightState.YELLOW)
_GREEN = int(LightState.GREEN)
_OFF = int(LightState.OFF)

FREE = 1e6
BEFORE_LINE = 0.7  # m between the front and the line
HELD_SECONDS = 5.2  # s for which a light that a scenario holds green is not trusted (docs/bench2drive.md 1.7)
AT_LINE_PATIENCE = 8.0  # s before a junction whose exit is taken


@kernel
def find_lights(w, e, net, routes):  # type: ignore[no-untyped-def]
    """Once a route: the lights whose stop points, which the leaderboard judges by, lie on the path, and where."""
    e.prepared = 1
    e.num_lights = 0
    first = routes.path_first[w.route]
    last = routes.path_first[w.route + 1] - 1
    for light in range(net.light_stop_first.shape[0] - 1):
        for q in range(net.light_stop_first[light], net.light_stop_first[light + 1]):
            x = net.light_stop_x[q]
            y = net.light_stop_y[q]
            best = 1.5 * 1.5
            at = -1
            for p in range(first, last + 1):
                dx = routes.path_x[p] - x
                dy = routes.path_y[p] - y
                if dx * dx + dy * dy < best and math.cos(routes.path_yaw[p] - net.light_stop_yaw[q]) > 0.7:
                    best = dx * dx + dy * dy
                    at = p
            if at >= 0 and e.num_lights < MAX_PATH_LIGHTS:
                e.light[e.num_lights] = light
                e.light_s[e.num_lights] = (at - first) * routes.path_step[w.route]
                e.num_lights += 1


@kernel
def find_halts(w, e, net, routes, sheet):  # type: ignore[no-untyped-def]
    """Set `sheet.stop`: where the ego's centre must halt next."""
    sheet.stop[0] = FREE
    if e.prepared == 0:
        find_lights(w, e, net, routes)
    watch_held_light(w, e, net)
    for k in range(e.num_lights):
        if w.path_s - 10.0 < e.light_s[k] < w.path_s + 90.0 and light_halts(w, e, net, e.light[k], e.light_s[k]):
            sheet.stop[0] = min(sheet.stop[0], e.light_s[k] - w.half_length[EGO] - BEFORE_LINE)
    r = w.route
    first = routes.path_first[r]
    step = routes.path_step[r]
    for k in range(routes.crossing_first[r], routes.crossing_first[r + 1]):
        enter = routes.crossing_enter[k]
        if routes.crossing_exit[k] < w.path_s or enter <= 0.0:
            continue
        if enter > w.path_s + 90.0:
            break
        p = first + int(enter / step + 0.5)
        entering = routes.path_lane[p]
        before = routes.path_lane[max(p - 1, first)]
        if entering < 0 or before < 0:
            continue
        line = enter
        if net.lane_stop_line[before] >= 0.0:
            line = enter - (net.lane_length[before] - net.lane_stop_line[before])
        halt = line - w.half_length[EGO] - BEFORE_LINE
        light = net.lane_light[entering]
        if light >= 0:
            if light_halts(w, e, net, light, line):
                sheet.stop[0] = min(sheet.stop[0], halt)
        if net.lane_stop_sign[before] >= 0 and (light < 0 or w.light_state[light] == _OFF):
            sheet.stop[0] = min(sheet.stop[0], sign_halt(w, e, net, routes, sheet, net.lane_stop_sign[before], halt))
        if w.path_s < halt + 1.5 and exit_taken(w, e, sheet, enter, routes.crossing_exit[k]):
            sheet.stop[0] = min(sheet.stop[0], halt)
        break_here = w.path_s < enter
        if break_here:
            break


@kernel
def watch_held_light(w, e, net):  # type: ignore[no-untyped-def]
    """Count for how long a scenario has held the next light on the path green: it may turn red without a yellow."""
    for k in range(e.num_lights):
        light = e.light[k]
        if w.path_s - 5.0 < e.light_s[k] < w.path_s + 90.0:
            held = w.group_frozen[net.light_group[light]] == 1 and w.light_state[light] == _GREEN
            e.held_green = e.held_green + TICK_SECONDS if held else 0.0
            return
    e.held_green = 0.0


@kernel
def light_halts(w, e, net, light, line):  # type: ignore[no-untyped-def]
    """True when the light asks the ego to halt at `line`: red, or yellow that its rear would not make.

    The leaderboard books a red light when the rear of the ego crosses the line (RunningRedLightTest).
    """
    state = w.light_state[light]
    if state == _GREEN and 0.0 < e.held_green < HELD_SECONDS:
        seconds = (line + w.half_length[EGO] + 1.2 - w.path_s) / max(w.speed[EGO], 4.0)
        stops = w.speed[EGO] * w.speed[EGO] < 2.0 * 3.0 * (line - w.path_s - w.half_length[EGO] - BEFORE_LINE)
        return stops and seconds > HELD_SECONDS - 0.4 - e.held_green
    if state != _RED and state != _YELLOW:
        return False
    rear_over = w.path_s - (w.half_length[EGO] + 1.2) - line
    if rear_over > 0.0:
        return False
    speed = w.speed[EGO]
    front_left = line - w.path_s - w.half_length[EGO]
    if state == _YELLOW:
        group = net.light_group[light]
        h = net.group_first[group] + w.group_phase[group]
        left = 3.0
        if w.group_frozen[group] == 0 and net.light_phase[light] == w.group_phase[group]:
            left = net.phase_green[h] + net.phase_yellow[h] - w.group_time[group]
        return -rear_over >= speed * (left - 0.2)
    # red with the front over the line: stay if the rear can stay behind it
    return front_left >= -0.5 or speed * speed <= 2.0 * 7.0 * max(-rear_over, 0.0)


@kernel
def sign_halt(w, e, net, routes, sheet, sign, halt):  # type: ignore[no-untyped-def]
    """Place of the halt that a stop sign asks for, or a huge number once it has been made.

    The leaderboard wants a speed under 0.1 m/s while the sign affects the ego: its lane place within 4 m of the
    trigger's centre, and one of the places up to 4 m ahead inside the trigger box (RunningStopTest).
    """
    if e.stop_sign == sign:
        return FREE
    x = net.stop_x[sign]
    y = net.stop_y[sign]
    s, d, yaw, k = to_path(routes, w.route, nearest_coarse(sheet, x, y), x, y)
    c = abs(math.cos(yaw))
    n = abs(math.sin(yaw))
    reach = 1.2 * (net.stop_extent_x[sign] * c + net.stop_extent_y[sign] * n)
    earliest = s - min(3.4, 3.2 + reach)
    latest = s + max(min(reach - 0.4, 2.5), -1.0)
    place = min(max(halt, earliest), latest)
    if abs(w.path_s - place) < 1.0 and w.speed[EGO] < 0.06:
        e.sign_time += TICK_SECONDS
        if e.sign_time > 0.35:
            e.stop_sign = sign
            e.sign_time = 0.0
            return FREE
    if w.path_s > latest + 1.5:
        return FREE
    return max(place, w.path_s - 0.2)


@kernel
def exit_taken(w, e, sheet, enter, leave):  # type: ignore[no-untyped-def]
    """True when somebody stands so close behind the junction that the ego would have to wait inside it."""
    front = leave + 2.0 * w.half_length[EGO] + 2.0
    taken = False
    for n in range(sheet.count[0]):
        if sheet.low[n, 0] < sheet.high[n, 0] and sheet.speed[n] < 1.0 and math.cos(sheet.turn[n, 0]) > 0.3:
            place = sheet.low[n, 0] + w.half_length[EGO]
            if enter + 1.0 < place < front:
                taken = True
    if not taken:
        e.at_line = 0.0
        return False
    if w.speed[EGO] < 0.2:
        e.at_line += TICK_SECONDS
    return e.at_line < AT_LINE_PATIENCE
