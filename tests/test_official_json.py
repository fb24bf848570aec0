"""Official result files: what is written reads back the same, what is broken is named."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from result_samples import driven, hit, outside_lanes, records, speed

from leaderboard_adapters.abilities import abilities
from leaderboard_adapters.json_files import write_json
from leaderboard_adapters.official_json import (
    Checkpoint,
    Merged,
    ability_document,
    checkpoint_document,
    merged_document,
    parse_result_document,
    read_ability_file,
    read_result_file,
    record_document,
)
from leaderboard_adapters.scores import SENSORS_INVALID, SIMULATION_CRASHED, TICK_RUNTIME
from simulator.errors import ResultFileError

RECORD_KEYS = [
    *("index", "route_id", "scenario_name", "weather_id", "save_name", "status", "num_infractions", "infractions"),
    *("scores", "meta", "town_name"),
]


def two_routes() -> list:
    return [
        driven(1711, "ParkingCutIn", 100, hit("collisions_vehicle"), outside_lanes(12.5), speed(140.0), speed(140.0)),
        driven(2050, "T_Junction", 40.0, speed(70.5), failure=TICK_RUNTIME, index=1, weather_id=None),
    ]


# --- the schema ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_has_the_official_fields_in_order() -> None:
    document = checkpoint_document(two_routes(), sensors=["carla_camera"])
    assert list(document) == ["_checkpoint", "entry_status", "eligible", "sensors", "values", "labels"]
    assert list(document["_checkpoint"]) == ["global_record", "progress", "records"]
    assert list(document["_checkpoint"]["records"][0]) == RECORD_KEYS
    assert document["_checkpoint"]["progress"] == [2, 2]
    assert (document["entry_status"], document["eligible"]) == ("Finished", True)
    record = document["_checkpoint"]["records"][0]
    assert record["num_infractions"] == 4
    assert record["scores"] == {"score_route": 100, "score_penalty": 0.525, "score_composed": 52.5}
    assert document["_checkpoint"]["records"][1]["weather_id"] is None


def test_values_stand_under_their_labels() -> None:
    document = checkpoint_document(
        [driven(1, "Accident", 100, hit("red_light"), route_length=500.0)], sensors=["carla_imu"]
    )
    values = dict(zip(document["labels"], document["values"]))
    assert len(values) == 15
    assert values["Avg. driving score"] == "70.0"
    assert values["Avg. infraction penalty"] == "0.7"
    assert values["Red lights infractions"] == "2.0"
    assert values["Collisions with layout"] == "0.0"


def test_a_running_evaluation_has_no_global_record_yet() -> None:
    document = checkpoint_document(two_routes(), 220, finished=False)
    assert document["_checkpoint"]["global_record"] == {}
    assert document["_checkpoint"]["progress"] == [2, 220]
    assert (document["entry_status"], document["eligible"], document["values"]) == ("Started", False, [])


@pytest.mark.parametrize(
    ("failure", "total", "status"),
    [
        (TICK_RUNTIME, 1, "Finished"),
        (SIMULATION_CRASHED, 5, "Crashed"),
        (SENSORS_INVALID, 1, "Rejected"),
        ("", 2, "Invalid"),
    ],
)
def test_entry_status(failure: str, total: int, status: str) -> None:
    document = checkpoint_document([driven(1, "Accident", 10.0, failure=failure)], total, sensors=["carla_imu"])
    assert (document["entry_status"], document["eligible"]) == (status, status == "Finished")


def test_merged_sorts_by_route_id_as_text_and_drops_the_index() -> None:
    document = merged_document([driven(1711), driven(999), driven(23658)])
    assert list(document) == ["_checkpoint", "driving score", "success rate", "eval num"]
    numbers = [record["route_id"].split("_")[1] for record in document["_checkpoint"]["records"]]
    assert numbers == ["999", "23658", "1711"]
    assert all(list(record) == RECORD_KEYS[1:] for record in document["_checkpoint"]["records"])
    assert document["driving score"] == 300 / 220
    assert document["success rate"] == 3 / 220
    assert document["eval num"] == 3


def test_an_ability_file_reads_back(tmp_path: Path) -> None:
    own = abilities(
        [driven(1, "Accident"), driven(2, "ParkingExit", 10.0)], scenario_types={"1": "Accident", "3": "T_Junction"}
    )
    write_json(tmp_path / "merged_ability.json", ability_document(own, efficiency=120.5, smoothness=0.25))
    stored = read_ability_file(tmp_path / "merged_ability.json")
    assert stored.values == {"Overtaking": 1.0, "mean": 1.0}
    assert stored.crashed == (("T_Junction", "3"),)
    assert (stored.efficiency, stored.smoothness) == (120.5, 0.25)


def test_an_ability_file_says_when_its_signs_are_plain() -> None:
    plain = ability_document(abilities([driven(1, "T_Junction", 50.0)]))
    assert plain["Traffic_Signs"] == 0.0
    assert "maps needed" in plain["Traffic_Signs_rule"]
    exact = ability_document(abilities([driven(1, "T_Junction", 50.0)], first_junction_share={"1": (10, 100)}))
    assert exact["Traffic_Signs"] == 1.0
    assert list(exact)[-1] == "crashed"


# --- round trips -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(records(), max_size=4), st.lists(st.sampled_from(["carla_camera", "carla_imu"]), max_size=2))
def test_what_is_written_reads_back(results: list, sensors: list[str]) -> None:
    document = checkpoint_document(results, sensors=sensors)
    text = json.dumps(document, indent=4)
    read = parse_result_document(json.loads(text), "memory.json")
    assert isinstance(read, Checkpoint)
    assert [record_document(result) for result in read.results] == document["_checkpoint"]["records"]
    assert read.sensors == tuple(sensors)
    assert json.dumps(checkpoint_document(read.results, sensors=read.sensors), indent=4) == text

    merged = json.dumps(merged_document(results))
    again = parse_result_document(json.loads(merged), "memory.json")
    assert isinstance(again, Merged)
    assert again.eval_num == len(results)
    assert json.dumps(merged_document(again.results)) == merged


def test_shares_and_types_come_back_with_the_messages() -> None:
    read = parse_result_document(checkpoint_document(two_routes()), "memory.json")
    shares = {i.name: i.percentage for i in read.results[0].infractions}
    assert shares == {"collisions_vehicle": 0.0, "outside_route_lanes": 12.5, "min_speed_infractions": 140.0}
    assert [result.scenario_type for result in read.results] == ["ParkingCutIn", "T_Junction"]


def test_foreign_keys_and_lists_survive() -> None:
    document = checkpoint_document(two_routes())
    record = document["_checkpoint"]["records"][0]
    record["infractions"]["honked"] = ["Agent honked"]
    record["num_infractions"] += 1
    record["fork"] = {"version": 2}
    read = parse_result_document(copy.deepcopy(document), "memory.json")
    assert record_document(read.results[0]) == record


def test_a_wrong_count_of_infractions_is_noted() -> None:
    document = checkpoint_document(two_routes())
    document["_checkpoint"]["records"][1]["num_infractions"] = 7
    assert parse_result_document(document, "x.json").results[1].notes == ("num_infractions says 7, the lists hold 1",)


@pytest.mark.official_data
def test_official_checkpoints_are_written_again_to_the_last_byte(official_data: Path) -> None:
    results = official_data / "results"
    paths = [*sorted(results.glob("*/eval_*.json")), *sorted(results.glob("*/*/endpoint.json"))]
    assert len(paths) == 64
    for path in paths:
        file = read_result_file(path)
        assert isinstance(file, Checkpoint)
        again = checkpoint_document(file.results, file.progress[1], sensors=file.sensors)
        assert json.dumps(again, indent=4) == path.read_text(), path.name


@pytest.mark.official_data
@pytest.mark.parametrize("name", ["UniAD-Base", "VAD", "TCP-only-traj", "ORION", "pdm_lite_b2d_traj/merged"])
def test_official_merged_files_keep_every_record(official_data: Path, name: str) -> None:
    path = official_data / "results" / f"{name}.json"
    stored = json.loads(path.read_text())
    file = read_result_file(path)
    assert isinstance(file, Merged)
    assert merged_document(file.results)["_checkpoint"] == stored["_checkpoint"]
    assert (file.driving_score, file.eval_num) == (stored["driving score"], stored["eval num"])


# --- broken files ----------------------------------------------------------------------------------------------------


def broken(change: str) -> Any:
    """A checkpoint document with one thing wrong."""
    document = checkpoint_document(two_routes(), sensors=["carla_imu"])
    record = document["_checkpoint"]["records"][1]
    if change == "text for a score":
        record["scores"]["score_route"] = "100"
    elif change == "score missing":
        del record["scores"]["score_composed"]
    elif change == "bool for a score":
        record["scores"]["score_penalty"] = True
    elif change == "NaN":
        record["scores"]["score_composed"] = float("nan")
    elif change == "negative":
        record["meta"]["route_length"] = -1
    elif change == "no lists":
        record["infractions"]["red_light"] = 0
    elif change == "list missing":
        del record["infractions"]["route_timeout"]
    elif change == "no percentage":
        record["infractions"]["min_speed_infractions"] = ["Average speed is fine"]
    elif change == "no metres":
        record["infractions"]["outside_route_lanes"] = ["Agent went outside (3.0% of it)"]
    elif change == "number for a name":
        record["route_id"] = 2050
    elif change == "no town":
        del record["town_name"]
    elif change == "record is a list":
        document["_checkpoint"]["records"][1] = []
    elif change == "records missing":
        del document["_checkpoint"]["records"]
    elif change == "unknown entry status":
        document["entry_status"] = "Done"
    elif change == "odd progress":
        document["_checkpoint"]["progress"] = [1]
    elif change == "a list":
        return [document]
    return document


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("text for a score", r"_checkpoint\.records\[1\]\.scores\.score_route: expected a number, found \"100\""),
        ("score missing", r"_checkpoint\.records\[1\]\.scores\.score_composed is missing"),
        ("bool for a score", r"score_penalty: expected a number, found true"),
        ("NaN", r"score_composed: expected a finite number"),
        ("negative", r"meta\.route_length: expected a number of at least 0"),
        ("no lists", r"records\[1\]\.infractions\.red_light: expected a list, found 0"),
        ("list missing", r"infractions\.route_timeout is missing"),
        ("no percentage", r"min_speed_infractions\[0\]: expected a message with a percentage"),
        ("no metres", r"outside_route_lanes\[0\]: expected a message with metres"),
        ("number for a name", r"route_id: expected a string, found 2050"),
        ("no town", r"town_name is missing"),
        ("record is a list", r"records\[1\]: expected an object, found \[\]"),
        ("records missing", r"_checkpoint\.records is missing"),
        ("unknown entry status", r"entry_status: expected one of Started"),
        ("odd progress", r"progress: expected \[routes started, routes in all\]"),
        ("a list", r"top level: expected an object"),
    ],
)
def test_a_malformed_file_names_the_place(tmp_path: Path, change: str, place: str) -> None:
    path = tmp_path / "eval_0.json"
    path.write_text(json.dumps(broken(change)))
    with pytest.raises(ResultFileError, match=place) as caught:
        read_result_file(path)
    assert str(caught.value).startswith(str(path))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 3000))
def test_a_truncated_file_is_named_wherever_it_is_cut(tmp_path: Path, length: int) -> None:
    text = json.dumps(checkpoint_document(two_routes()), indent=4)
    path = tmp_path / "cut.json"
    path.write_text(text[: min(length, len(text) - 1)])
    with pytest.raises(ResultFileError, match=r"cut\.json: "):
        read_result_file(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\x80\x04\x95", "not UTF-8"),
        (b'{"_checkpoint": {"records": [', "line 1, column .* cut off"),
        (b'{"_checkpoint": }', "line 1, column"),
        (b"[" * 100_000, "not a result file|cut off"),
        (b"9" * 5000, "not a result file"),
        (b'{"records": []}', "_checkpoint is missing"),
    ],
)
def test_what_is_no_json_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(ResultFileError, match=says) as caught:
        read_result_file(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ResultFileError, match="cannot be read"):
            read_result_file(path)


@pytest.mark.parametrize("crashed", [[["T_Junction"]], [[1, 2]], "none"])
def test_a_malformed_ability_file_names_the_place(tmp_path: Path, crashed: Any) -> None:
    path = tmp_path / "merged_ability.json"
    path.write_text(json.dumps({"Overtaking": 1.0, "mean": 1.0, "crashed": crashed}))
    with pytest.raises(ResultFileError, match="crashed"):
        read_ability_file(path)


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "merged.json"
    write_json(path, {"first": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"second": float("nan")})
    assert json.loads(path.read_text()) == {"first": 1}
