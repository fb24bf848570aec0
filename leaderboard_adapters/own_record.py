"""What RouteGym adds to official result files, under the one key "routegym" that official tools ignore.

In a record: everything of a `RouteResult` that the official record cannot hold. At the top of a file: the run that the
records come from (`RunInfo`). A file without the key is somebody else's, and reads and writes as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leaderboard_adapters.json_files import Place
from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.story_json import read_circumstances, read_timeline, story_document, timeline_document

KEY = "routegym"

#: What the worlds that this package simulates itself are called; a version follows.
EMBEDDED = "routegym-embedded/"
#: What the names of CARLA worlds say in which this package moves all but the ego vehicle; a version follows.
OWN_TRAFFIC = "traffic routegym/"

_TEXTS = ("world", "scorer", "suite", "agent", "scenario_type")
_NUMBERS = ("seed", "num_ticks", "attempt")
_SHARES = ("comfort", "comfort_corrected")
_LISTS = ("scenarios_missing", "notes")

#: Lists that follow the infraction lists: their key, the field of `Infraction`, how an item is read.
_OF_INFRACTIONS: tuple[tuple[str, str, Callable[[Place], Any]], ...] = (
    ("infraction_ticks", "tick", Place.integer),
    ("infraction_percentages", "percentage", Place.number),
    ("infraction_circumstances", "circumstances", read_circumstances),
)

#: Infractions with a percentage.
_MEASURED = ("outside_route_lanes", "min_speed_infractions")


@dataclass(frozen=True)
class RunInfo:
    """The run that a file's records come from: its routes on maps, or with `synthetic` those on rebuilt corridors.

    `routes`: planned routes in file order, scenario type by route id. `suite_routes`: routes of the whole route file.
    `skipped`: chosen routes that were left out for want of a map.
    """

    suite: str
    suite_digest: str  # SHA-256 of the route file
    suite_routes: int
    routes: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool = False
    repetitions: int = 1
    skipped: int = 0
    agent: str = ""
    seed: int = 0
    world: str = ""
    scorer: str = ""

    @property
    def planned(self) -> int:
        """Attempts that the run consists of."""
        return len(self.routes) * self.repetitions

    @property
    def suite_label(self) -> str:
        """The suite in words: its name, or how many of its routes the run is about."""
        if len(self.routes) == self.suite_routes:
            return self.suite
        return f"{len(self.routes)} of the {self.suite_routes} routes of {self.suite}"


def same_run(runs: Iterable[RunInfo | None]) -> bool:
    """Whether shards may be parts of one result: one suite, agent, seed, world, scorer, kind of map; or all foreign."""
    kinds = [run_kind(run) for run in runs]
    return all(kind == kinds[0] for kind in kinds)


def run_kind(run: RunInfo | None) -> tuple[object, ...] | None:
    """What runs have in common whose records may stand in one result."""
    if run is None:
        return None
    of_suite = (run.suite, run.suite_digest, run.suite_routes, run.synthetic, run.repetitions)
    return (*of_suite, run.agent, run.seed, run.world, run.scorer)


def joined_run(runs: Sequence[RunInfo | None]) -> RunInfo | None:
    """The run of several files together; None where a file tells none, or they are not `same_run`."""
    known = [run for run in runs if run is not None]
    if not known or len(known) < len(runs) or not same_run(known):
        return None
    routes = {route: kind for run in known for route, kind in run.routes.items()}
    return replace(known[0], routes=routes, skipped=max(run.skipped for run in known))


# --- the object of a record ------------------------------------------------------------------------------------------


def own_document(result: RouteResult) -> dict[str, Any]:
    """The "routegym" object of a record.

    `infraction_ticks`, `infraction_percentages` (unrounded) and `infraction_circumstances` follow the record's
    infraction lists entry by entry.
    """
    document: dict[str, Any] = {name: getattr(result, name) for name in (*_TEXTS, *_NUMBERS)}
    document["synthetic"] = result.synthetic
    document["first_junction"] = None if result.first_junction is None else list(result.first_junction)
    document.update({name: getattr(result, name) for name in _SHARES})
    document.update({name: list(getattr(result, name)) for name in _LISTS})
    ticks: dict[str, list[int]] = {}
    percentages: dict[str, list[float]] = {}
    seen: dict[str, list[dict[str, Any] | None]] = {}
    told = {infraction.name for infraction in result.infractions if infraction.circumstances is not None}
    for infraction in result.infractions:
        ticks.setdefault(infraction.name, []).append(infraction.tick)
        if infraction.name in _MEASURED:
            percentages.setdefault(infraction.name, []).append(infraction.percentage)
        if infraction.name in told:
            circumstances = infraction.circumstances
            seen.setdefault(infraction.name, []).append(
                None if circumstances is None else story_document(circumstances)
            )
    document["infraction_ticks"] = ticks
    document["infraction_percentages"] = percentages
    document["infraction_circumstances"] = seen
    document["timeline"] = timeline_document(result.timeline)
    return document


def with_own_document(result: RouteResult, own: Place) -> RouteResult:
    """A result read from the official fields of its record, completed by the record's "routegym" object.

    Raises:
        ResultFileError: for a value of a wrong type, with its place.
    """
    values: dict[str, Any] = {}
    for name in own.mapping():
        place = own.at(name)
        if name in _TEXTS:
            values[name] = place.text()
        elif name in _NUMBERS:
            values[name] = place.integer()
        elif name in _SHARES:
            values[name] = None if place.value is None else place.number()
        elif name in _LISTS:
            values[name] = tuple(item.text() for item in place.items())
        elif name == "synthetic":
            values[name] = place.truth()
        elif name == "timeline":
            values[name] = read_timeline(place)
        elif name == "first_junction":
            values[name] = None if place.value is None else _junction(place)
    infractions, remarks = _with_ticks(result.infractions, own)
    values["notes"] = (*values.get("notes", ()), *result.notes, *remarks)
    return replace(result, infractions=infractions, **values)


def _junction(place: Place) -> tuple[int, int]:
    numbers = [item.integer() for item in place.items()]
    if len(numbers) != 2 or not 0 < numbers[0] <= numbers[1]:
        raise place.fail("[waypoints up to the first junction, waypoints in all]")
    return numbers[0], numbers[1]


def _with_ticks(infractions: Sequence[Infraction], own: Place) -> tuple[tuple[Infraction, ...], list[str]]:
    """Infractions with what ours tell of each. A list of another length than theirs was edited: it keeps nothing."""
    remarks: list[str] = []
    found = list(infractions)
    for key, field_name, read in _OF_INFRACTIONS:
        if not own.has(key):
            continue
        stored = own.at(key)
        for name in stored.mapping():
            items = stored.at(name).items()
            positions = [i for i, infraction in enumerate(found) if infraction.name == name]
            if len(positions) != len(items):
                remarks.append(f"{key} tells of {len(items)} {name}, the list holds {len(positions)}")
                continue
            for i, item in zip(positions, items):
                found[i] = replace(found[i], **{field_name: read(item)})
    return tuple(found), remarks


# --- the object of a file --------------------------------------------------------------------------------------------


def run_document(run: RunInfo) -> dict[str, Any]:
    """The "routegym" object at the top of a file."""
    return {
        "suite": run.suite,
        "suite_digest": run.suite_digest,
        "suite_routes": run.suite_routes,
        "routes": dict(run.routes),
        "synthetic": run.synthetic,
        "repetitions": run.repetitions,
        "skipped": run.skipped,
        "agent": run.agent,
        "seed": run.seed,
        "world": run.world,
        "scorer": run.scorer,
    }


def read_run(root: Place) -> RunInfo | None:
    """The run that a file tells of; None in somebody else's.

    Raises:
        ResultFileError: for a missing value or one of a wrong type, with its place.
    """
    if not root.has(KEY):
        return None
    run = root.at(KEY)
    routes = run.at("routes")
    return RunInfo(
        suite=run.at("suite").text(),
        suite_digest=run.at("suite_digest").text(),
        suite_routes=run.at("suite_routes").integer(),
        routes={route: routes.at(route).text() for route in routes.mapping()},
        synthetic=run.at("synthetic").truth(),
        repetitions=run.at("repetitions").integer(),
        skipped=run.at("skipped").integer(),
        agent=run.at("agent").text(),
        seed=run.at("seed").integer(),
        world=run.at("world").text(),
        scorer=run.at("scorer").text(),
    )
