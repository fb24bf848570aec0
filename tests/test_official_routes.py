"""Official Bench2Drive routes, driven to their end: on CARLA's town maps, and on corridors where they are missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.drive import drive_route
from evaluation.tasks import RouteTask
from leaderboard_adapters.records import RouteResult

pytestmark = pytest.mark.official_data


def drive(data: Path, route_id: str, agent: str = "autopilot", *, synthetic: bool = False) -> RouteResult:
    task = RouteTask(
        route_file=str(data / "routes" / "bench2drive220.xml"),
        route_id=route_id,
        repetition=0,
        index=0,
        agent=agent,
        seed=0,
        maps=str(data / "towns"),
        missing_maps="corridor",
        suite="bench2drive220",
        synthetic=synthetic,
    )
    return drive_route(task, lambda tick, completion: None)


def official_length(data: Path, route_id: str) -> float:
    records = json.loads((data / "results" / "UniAD-Base.json").read_text())["_checkpoint"]["records"]
    lengths = {r["route_id"]: r["meta"]["route_length"] for r in records}
    return float(lengths[f"RouteScenario_{route_id}_rep0"])


@pytest.mark.parametrize("route_id", ["24330", "24211", "24224", "26406"])
def test_real_towns_are_driven_at_the_official_length(official_data: Path, route_id: str) -> None:
    """One route each on Town10HD, Town01, Town02 and Town04."""
    result = drive(official_data, route_id)
    assert result.route_length == pytest.approx(official_length(official_data, route_id), abs=0.01)
    assert not result.synthetic
    assert result.num_ticks > 0
    assert not result.scenarios_missing


@pytest.mark.parametrize("route_id", ["1773", "1852", "2082", "2201", "3364", "3936", "14194", "25863"])
def test_corridors_are_driven_and_labelled(official_data: Path, route_id: str) -> None:
    """Routes of towns whose map is missing, of eight scenario types."""
    result = drive(official_data, route_id, synthetic=True)
    assert result.synthetic
    assert result.num_ticks > 0
    assert "crashed" not in result.status
    assert not result.scenarios_missing
    assert result.route_length == pytest.approx(official_length(official_data, route_id), rel=0.06)


def test_the_same_official_route_gives_the_same_result_twice(official_data: Path) -> None:
    first, second = drive(official_data, "24330"), drive(official_data, "24330")
    first.duration_system = second.duration_system = 0.0
    assert first == second
