"""Abilities: the groups, plain success, and the two Traffic_Signs rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_samples import driven, hit

from leaderboard_adapters.abilities import ABILITIES, PLAIN_SIGNS, SIGNS, abilities, passes_junction
from leaderboard_adapters.efficiency import efficiency
from leaderboard_adapters.official_json import read_ability_file, read_result_file

TURN = "SignalizedJunctionRightTurn"  # Merging and Traffic_Signs
STOP = "VanillaNonSignalizedTurnEncounterStopsign"  # Traffic_Signs only


def test_groups_have_the_official_sizes() -> None:
    assert {name: len(types) for name, types in ABILITIES.items()} == {
        "Overtaking": 9,
        "Merging": 16,
        "Emergency_Brake": 12,
        "Give_Way": 2,
        "Traffic_Signs": 19,
    }
    assert all(len(set(types)) == len(types) for types in ABILITIES.values())
    assert len({kind for types in ABILITIES.values() for kind in types}) == 44


@pytest.mark.official_data
def test_groups_hold_the_types_of_the_official_routes(official_data: Path) -> None:
    text = (official_data / "routes" / "bench2drive220.xml").read_text()
    known = {kind for types in ABILITIES.values() for kind in types}
    assert all(f'type="{kind}"' in text for kind in known)
    assert text.count("<scenario ") == sum(text.count(f'type="{kind}"') for kind in known) == 220
    counts = {name: sum(text.count(f'type="{kind}"') for kind in types) for name, types in ABILITIES.items()}
    assert counts == {"Overtaking": 45, "Merging": 80, "Emergency_Brake": 60, "Give_Way": 10, "Traffic_Signs": 95}


def test_a_route_counts_in_each_of_its_abilities() -> None:
    result = abilities([driven(1, TURN), driven(2, TURN, 100, hit("collisions_vehicle")), driven(3, "Accident")])
    counts = {score.name: (score.successes, score.routes) for score in result.scores}
    assert counts == {
        "Overtaking": (1, 1),
        "Merging": (1, 2),
        "Emergency_Brake": (0, 0),
        "Give_Way": (0, 0),
        "Traffic_Signs": (1, 2),
    }
    assert result.values()["Emergency_Brake"] is None
    assert result.mean == pytest.approx((1 + 0.5 + 0.5) / 3)  # of those present


def test_only_the_first_record_of_a_route_counts() -> None:
    result = abilities([driven(1, "Accident", 20.0), driven(1, "Accident", 100, repetition=1)])
    assert (result.scores[0].successes, result.scores[0].routes) == (0, 1)


def test_routes_of_the_suite_without_a_record_are_crashed() -> None:
    types = {"1": "Accident", "2": TURN, "3": "ParkingExit"}
    result = abilities([driven(1, "Accident"), driven(9, "Accident")], scenario_types=types)
    assert result.crashed == ((TURN, "2"), ("ParkingExit", "3"))
    assert result.scores[0].routes == 1  # route 9 is not of the suite
    assert result.scores[1].routes == 0


def test_the_route_file_decides_the_type() -> None:
    result = abilities([driven(1, "Accident")], scenario_types={"1": "InvadingTurn"})
    assert result.values()["Overtaking"] is None
    assert result.values()["Give_Way"] == 1.0


# --- Traffic_Signs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("completed", "junction", "passes"),
    [
        (39.0, (30, 100), True),
        (38.0, (30, 100), False),  # eight waypoints past the junction is not yet enough
        (100, (95, 100), False),  # the route ends in its first junction
        (50.0, None, None),
        (0.0, None, False),  # no junction is behind a start
    ],
)
def test_the_junction_rule(completed: float, junction: tuple[int, int] | None, passes: bool | None) -> None:
    assert passes_junction(driven(1, TURN, completed), junction) is passes


@pytest.mark.parametrize("name", ["red_light", "stop_infraction"])
def test_an_ignored_sign_never_passes(name: str) -> None:
    assert passes_junction(driven(1, TURN, 100, hit(name)), (10, 100)) is False


def test_collisions_do_not_matter_for_signs() -> None:
    crashed = driven(1, STOP, 60.0, hit("collisions_vehicle"))
    assert passes_junction(crashed, (10, 100)) is True
    result = abilities([crashed], first_junction_share={"1": (10, 100)})
    assert result.values()[SIGNS] == 1.0
    assert result.signs_exact
    assert result.note == ""


def test_both_versions_of_the_rule() -> None:
    routes = [
        driven(1, STOP),  # success, passes
        driven(2, STOP, 60.0, hit("collisions_vehicle")),  # passes only
        driven(3, STOP, 60.0, hit("red_light")),  # neither
        driven(4, STOP),  # success, but its junction is at the very end
    ]
    shares = {"1": (10, 100), "2": (10, 100), "3": (10, 100), "4": (95, 100)}
    signs = abilities(routes, first_junction_share=shares).signs
    assert (signs["0.0.4"].low, signs["0.0.4"].high) == (3 / 4, 3 / 4)
    assert (signs["0.0.3"].low, signs["0.0.3"].high) == (4 / 8, 4 / 8)  # (2 successes + 2 passes) / (2 x 4)


def test_without_maps_signs_are_plain_success_with_bounds() -> None:
    routes = [
        driven(1, STOP),
        driven(2, STOP, 60.0, hit("collisions_vehicle")),
        driven(3, STOP, 60.0, hit("red_light")),
    ]
    result = abilities(routes)
    assert result.values()[SIGNS] == pytest.approx(1 / 3)
    assert result.note == PLAIN_SIGNS
    assert (result.signs["0.0.4"].low, result.signs["0.0.4"].high) == pytest.approx((1 / 3, 2 / 3))
    assert (result.signs["0.0.3"].low, result.signs["0.0.3"].high) == pytest.approx((1 / 6, 3 / 6))


def test_no_map_is_needed_where_nothing_hangs_on_it() -> None:
    result = abilities([driven(1, STOP), driven(2, STOP, 60.0, hit("stop_infraction"))])
    assert result.signs["0.0.4"].exact
    assert result.values()[SIGNS] == 0.5
    assert not result.signs["0.0.3"].exact  # the old rule asks about successful routes, too


def test_nothing_driven_has_no_ability() -> None:
    result = abilities([])
    assert result.mean == 0.0
    assert set(result.values().values()) == {None}


# --- official files --------------------------------------------------------------------------------------------------


@pytest.mark.official_data
def test_pdm_lite_abilities_equal_the_stored_file(official_data: Path) -> None:
    folder = official_data / "results" / "pdm_lite_b2d_traj"
    stored = read_ability_file(folder / "merged_ability.json")
    merged = read_result_file(folder / "merged.json")
    result = abilities(merged.results)
    for name in ("Overtaking", "Merging", "Emergency_Brake", "Give_Way"):
        assert result.values()[name] == stored.values[name]
    old = result.signs["0.0.3"]
    assert old.low <= stored.values[SIGNS] <= old.high
    assert stored.crashed == ()
    assert efficiency(merged.results).value == pytest.approx(stored.efficiency, abs=1e-9)


@pytest.mark.official_data
@pytest.mark.parametrize(
    ("file", "published"),
    [
        ("UniAD-Base.json", (17.78, 14.10, 21.67, 10.00)),
        ("VAD.json", (24.44, 8.11, 18.64, 20.00)),
        ("ORION.json", (71.11, 25.00, 78.33, 30.00)),
    ],
)
def test_abilities_equal_the_published_ones(official_data: Path, file: str, published: tuple[float, ...]) -> None:
    values = abilities(read_result_file(official_data / "results" / file).results).values()
    assert tuple(round(100 * (values[name] or 0), 2) for name in list(ABILITIES)[:4]) == published
