"""Traffic lights: each group runs through its phases, and stands still while a scenario holds it."""

from __future__ import annotations

import numpy as np
import pytest
from sim_world import Traffic, crossroads, smoke

from simulator.signals import hold_lights, release_lights, tick_lights
from simulator.state import LightState

GREEN_TICKS, YELLOW_TICKS, RED_TICKS = 200, 60, 40  # 10 s, 3 s, 2 s
PHASE_TICKS = GREEN_TICKS + YELLOW_TICKS + RED_TICKS
R, Y, G = LightState.RED, LightState.YELLOW, LightState.GREEN


@pytest.fixture
def traffic() -> Traffic:
    traffic = Traffic(crossroads())
    traffic.run_lights()
    return traffic


def states(traffic: Traffic) -> list[int]:
    """State of every light of the town."""
    return [int(k) for k in traffic.w["light_state"][: len(traffic.net.light_group)]]


def tick(traffic: Traffic, count: int) -> None:
    for _ in range(count):
        tick_lights(traffic.w, traffic.net)


def test_the_first_phase_begins_green_and_all_others_red(traffic: Traffic) -> None:
    phase = traffic.net.light_phase
    assert states(traffic) == [G if phase[k] == 0 else R for k in range(len(phase))]


def test_a_phase_is_10_s_green_3_s_yellow_2_s_red(traffic: Traffic) -> None:
    seen = []
    for _ in range(2 * PHASE_TICKS):
        seen.append(states(traffic))
        tick(traffic, 1)
    history = np.array(seen)
    for light, phase in enumerate(traffic.net.light_phase):
        one = [G] * GREEN_TICKS + [Y] * YELLOW_TICKS + [R] * RED_TICKS
        other = [R] * PHASE_TICKS
        assert history[:, light].tolist() == (one + other if phase == 0 else other + one)


def test_the_cycle_repeats(traffic: Traffic) -> None:
    before = states(traffic)
    tick(traffic, 2 * PHASE_TICKS)
    assert states(traffic) == before
    assert traffic.w["group_time"][0] == 0.0


def test_two_phases_of_a_junction_are_never_open_together() -> None:
    traffic = Traffic(smoke())
    traffic.run_lights()
    net = traffic.net
    lights = len(net.light_group)
    for _ in range(4 * PHASE_TICKS // 10):
        tick(traffic, 10)
        state = traffic.w["light_state"][:lights]
        for group in range(len(net.group_junction)):
            mine = net.light_group == group
            assert len(set(net.light_phase[mine & (state != R)].tolist())) <= 1


def test_every_light_of_the_town_gets_its_green() -> None:
    traffic = Traffic(smoke())
    traffic.run_lights()
    lights = len(traffic.net.light_group)
    green = np.zeros(lights, bool)
    for _ in range(4 * PHASE_TICKS):
        green |= traffic.w["light_state"][:lights] == G
        tick(traffic, 1)
    assert green.all()


def test_a_held_group_stands_still_and_then_goes_on_where_it_was(traffic: Traffic) -> None:
    tick(traffic, 150)
    phase, time = int(traffic.w["group_phase"][0]), float(traffic.w["group_time"][0])
    hold_lights(traffic.w, traffic.net, 0, int(R))
    assert set(states(traffic)) == {R}
    tick(traffic, 1000)
    assert set(states(traffic)) == {R}
    release_lights(traffic.w, traffic.net, 0)
    assert (int(traffic.w["group_phase"][0]), float(traffic.w["group_time"][0])) == (phase, time)
    assert G in states(traffic)
    tick(traffic, GREEN_TICKS - 150)
    assert Y in states(traffic)


def test_a_scenario_may_set_single_lights_of_a_held_group(traffic: Traffic) -> None:
    hold_lights(traffic.w, traffic.net, 0, int(R))
    traffic.w["light_state"][2] = int(G)
    tick(traffic, 400)
    assert states(traffic) == [R, R, G, R]


def test_holding_one_group_leaves_the_others_running() -> None:
    traffic = Traffic(smoke())
    traffic.run_lights()
    hold_lights(traffic.w, traffic.net, 0, int(G))
    tick(traffic, GREEN_TICKS)
    mine = traffic.net.light_group == 0
    state = traffic.w["light_state"][: len(mine)]
    assert (state[mine] == G).all()
    assert Y in state[~mine]
