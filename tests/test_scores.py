"""Route scores, statuses, global record, benchmark numbers, efficiency, intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_samples import driven, hit, outside_lanes, records, speed

from leaderboard_adapters.efficiency import efficiency, route_efficiency
from leaderboard_adapters.intervals import bootstrap_interval, bootstrap_means, crossed_interval, paired_difference
from leaderboard_adapters.records import route_order, scenario_type_of
from leaderboard_adapters.scores import (
    AGENT_CRASHED,
    PENALTY_FACTORS,
    TICK_RUNTIME,
    driving_score,
    global_record,
    penalty,
    route_completion,
    route_scores,
    route_status,
    success_rate,
)

# --- one route -------------------------------------------------------------------------------------------------------


def test_penalties_multiply_and_have_no_floor() -> None:
    infractions = [hit("collisions_vehicle"), hit("collisions_vehicle"), outside_lanes(12.5)]
    assert route_scores(100, infractions) == (100, 0.315, 31.5)
    assert penalty([hit("collisions_pedestrian")] * 10) == pytest.approx(0.5**10)


@pytest.mark.parametrize(("name", "factor"), sorted(PENALTY_FACTORS.items()))
def test_each_infraction_has_its_official_factor(name: str, factor: float) -> None:
    official = dict(pedestrian=0.5, vehicle=0.6, layout=0.65, red=0.7, stop=0.8, scenario=0.7, yield_=0.7)
    word = name.replace("collisions_", "").split("_")[0].replace("yield", "yield_")
    assert factor == official[word]
    assert penalty([hit(name)]) == factor


@pytest.mark.parametrize("name", ["route_dev", "vehicle_blocked", "route_timeout"])
def test_what_ends_a_route_costs_no_factor(name: str) -> None:
    assert route_scores(40.0, [hit(name), speed(3.0)]) == (40.0, 1.0, 40.0)


def test_lanes_use_the_unrounded_share() -> None:
    assert route_scores(100, [outside_lanes(1.23456)]).score_penalty == round(1 - 0.0123456, 6)


def test_a_finished_route_keeps_its_whole_number() -> None:
    assert isinstance(route_scores(100, []).score_route, int)
    assert isinstance(route_scores(99.5, []).score_route, float)


@given(st.floats(0, 100), st.lists(st.sampled_from(sorted(PENALTY_FACTORS)).map(hit), max_size=6))
def test_an_infraction_never_raises_a_score(completed: float, infractions: list) -> None:
    before = route_scores(completed, infractions)
    for name in PENALTY_FACTORS:
        after = route_scores(completed, [*infractions, hit(name)])
        assert 0 <= after.score_composed <= before.score_composed <= 100


@pytest.mark.parametrize(
    ("completed", "names", "failure", "status"),
    [
        (100, [], "", "Perfect"),
        (100, ["collisions_vehicle"], "", "Completed"),
        (100, ["route_dev"], "", "Completed"),  # left the route beside the goal: finished all the same
        (100, [], TICK_RUNTIME, "Perfect"),
        (50, [], "", "Failed"),
        (50, [], TICK_RUNTIME, "Failed - TickRuntime"),
        (50, ["vehicle_blocked"], AGENT_CRASHED, "Failed - Agent got blocked"),
        (50, ["vehicle_blocked", "route_dev"], "", "Failed - Agent got blocked"),
        (50, ["route_dev", "route_timeout"], "", "Failed - Agent deviated from the route"),
        (50, ["route_timeout"], "", "Failed - Agent timed out"),
    ],
)
def test_status(completed: float, names: list[str], failure: str, status: str) -> None:
    assert route_status(completed, [hit(name) for name in names], failure) == status


def test_a_min_speed_entry_makes_perfect_completed() -> None:
    assert route_status(100, [speed(140.0)]) == "Completed"
    assert driven(1, "Accident", 100, speed(140.0)).success


@pytest.mark.parametrize("name", [*sorted(PENALTY_FACTORS), "route_dev", "vehicle_blocked"])
def test_any_other_entry_is_no_success(name: str) -> None:
    assert not driven(1, "Accident", 100, hit(name)).success
    assert not driven(1, "Accident", 100, outside_lanes(0.01)).success


# --- benchmark -------------------------------------------------------------------------------------------------------


def test_missing_routes_count_as_zero() -> None:
    results = [driven(1), driven(2, "Accident", 50.0, failure=TICK_RUNTIME)]
    assert driving_score(results) == 150 / 220
    assert success_rate(results) == 1 / 220
    assert driving_score(results, 10) == 15.0
    assert route_completion(results, 2) == 75.0


def test_global_record_divides_by_the_planned_routes() -> None:
    results = [driven(1, "Accident", 100, hit("collisions_vehicle"), outside_lanes(10.0, 8.0)), driven(2, index=1)]
    record = global_record(results, 4)
    assert record["scores_mean"] == {"score_composed": 38.5, "score_route": 50.0, "score_penalty": 0.385}
    # the deviation runs over the records only, around the mean over all planned routes
    assert record["scores_std_dev"]["score_composed"] == round(math.sqrt((15.5**2 + 61.5**2) / 3), 3)
    assert record["infractions"]["collisions_vehicle"] == 5.0  # one in 0.2 km
    assert record["infractions"]["outside_route_lanes"] == 0.008  # kilometres outside, not divided
    assert record["status"] == "Completed"
    assert record["meta"]["exceptions"] == []


def test_global_record_names_failed_routes() -> None:
    results = [driven(1), driven(2, "Accident", 0.0, failure=TICK_RUNTIME, index=1)]
    record = global_record(results, 2)
    assert record["status"] == "Failed"
    assert record["meta"]["exceptions"] == [["RouteScenario_2_rep0", 1, "Failed - TickRuntime"]]
    assert global_record(results[1:], 1)["scores_std_dev"]["score_route"] == 0


def test_global_record_without_any_metre_driven() -> None:
    stuck = driven(2, "Accident", 0.0, hit("vehicle_blocked"))
    assert global_record([stuck], 1)["infractions"]["vehicle_blocked"] == 1000.0  # one in the smallest distance, 1 m


@given(st.lists(records(), max_size=4))
def test_global_record_of_anything_is_finite(results: list) -> None:
    record = global_record(results, max(len(results), 1))
    assert all(math.isfinite(value) for value in [*record["scores_mean"].values(), *record["infractions"].values()])


# --- names -----------------------------------------------------------------------------------------------------------


def test_the_scenario_type_loses_only_its_number() -> None:
    assert scenario_type_of("T_Junction_1") == "T_Junction"
    assert scenario_type_of("MergerIntoSlowTrafficV2_12") == "MergerIntoSlowTrafficV2"
    assert scenario_type_of("") == ""


def test_routes_sort_by_number() -> None:
    results = [driven(number) for number in (23658, 1711, "abc", 2050)]
    assert [result.xml_id for result in sorted(results, key=route_order)] == ["abc", "1711", "2050", "23658"]
    assert driven(7, repetition=2).repetition == "2"


# --- efficiency ------------------------------------------------------------------------------------------------------


def test_efficiency_is_a_mean_of_route_means() -> None:
    fast = driven(1, "Accident", 100, speed(100.0), speed(300.0), speed(1000.1))
    slow = driven(2, "Accident", 30.0, speed(50.0))
    unseen = driven(3, "Accident", 2.0)
    result = efficiency([fast, slow, unseen])
    assert (result.value, result.routes) == (125.0, 2)
    assert route_efficiency(unseen) is None


def test_a_route_with_only_absurd_values_is_named() -> None:
    result = efficiency([driven(1, "Accident", 100, speed(5000.0)), driven(2, "Accident", 100, speed(1000.0))])
    assert result.value == 1000.0
    assert result.unusable == ("RouteScenario_1_rep0",)
    assert efficiency([]).value is None


# --- intervals -------------------------------------------------------------------------------------------------------


def test_an_interval_holds_its_mean_and_repeats() -> None:
    values = np.random.default_rng(3).uniform(0, 100, 220)
    interval = bootstrap_interval(values)
    assert interval == bootstrap_interval(values)
    assert interval.low < interval.value < interval.high
    # the normal approximation is good for 220 values
    half = 1.96 * values.std() / math.sqrt(220)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.3)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.3)


def test_intervals_cover_the_true_mean() -> None:
    rng = np.random.default_rng(0)
    drawn = [bootstrap_interval(rng.binomial(1, 0.6, 100), resamples=500) for _ in range(200)]
    covered = sum(interval.low <= 0.6 <= interval.high for interval in drawn)
    assert 180 <= covered <= 199


def test_columns_share_their_samples() -> None:
    values = np.random.default_rng(1).normal(size=50)
    means = bootstrap_means(np.stack([values, values + 1], axis=1), resamples=100)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 1.0)


def test_pairing_shows_a_small_steady_gain() -> None:
    hard = np.linspace(0, 100, 220)
    paired = paired_difference(hard, np.minimum(hard + 2, 100))
    assert paired.difference.low > 1
    assert bootstrap_interval(hard).high > bootstrap_interval(hard + 2).low  # separate intervals overlap
    assert (paired.better, paired.worse, paired.equal, paired.routes) == (219, 0, 1, 220)


def test_an_interval_over_seeds_and_routes_is_wider_than_either():
    """Of 60 routes by 3 seeds that differ by 10 points; seeds that do not differ add nothing."""
    rng = np.random.default_rng(5)
    routes = rng.uniform(0, 100, (60, 1))
    alike, apart = routes + np.zeros(3), routes + np.array([-10.0, 0.0, 10.0])
    width = {
        name: x.high - x.low for name, x in (("alike", crossed_interval(alike)), ("apart", crossed_interval(apart)))
    }
    one = bootstrap_interval(routes[:, 0])
    assert width["alike"] == pytest.approx(one.high - one.low, rel=0.05)
    assert width["apart"] > 1.2 * width["alike"]
    assert crossed_interval(apart) == crossed_interval(apart)
    assert crossed_interval(apart).value == pytest.approx(routes.mean())


def test_intervals_refuse_nothing_and_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap_interval([])
    with pytest.raises(ValueError, match="pair"):
        paired_difference([1.0], [1.0, 2.0])
    assert bootstrap_interval([5.0]).low == 5.0
