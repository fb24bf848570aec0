"""Circumstances and timelines as JSON: written next to a record, read back with the place of every mistake."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from leaderboard_adapters.json_files import Place
from leaderboard_adapters.story import Circumstances, Happening, Involved, Moment, Part, ScenarioState

T = TypeVar("T", bound="Circumstances | Involved | Moment | ScenarioState")

_DIGITS = 3  # millimetres, and as much of a second or m/s


def story_document(part: Circumstances | Moment) -> dict[str, Any]:
    """The JSON object of a moment or of circumstances; empty fields are left out."""
    return _document(part)


def timeline_document(timeline: Sequence[Moment]) -> list[dict[str, Any]]:
    """The JSON list of a timeline."""
    return [_document(moment) for moment in timeline]


def read_timeline(place: Place) -> tuple[Moment, ...]:
    """A timeline. Raises `ResultFileError` for a value of a wrong type, with its place."""
    return tuple(_read(Moment, item) for item in place.items())


def read_circumstances(place: Place) -> Circumstances | None:
    """Circumstances, or None for null. Raises `ResultFileError` for a value of a wrong type, with its place."""
    return None if place.value is None else _read(Circumstances, place)


def rounded(part: T) -> T:
    """The same with its numbers rounded as they are kept: what is read back is then equal."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, float):
            changes[field.name] = round(value, _DIGITS)
        elif isinstance(value, tuple):
            changes[field.name] = tuple(v if isinstance(v, str) else rounded(v) for v in value)
    return dataclasses.replace(part, **changes)


def _document(part: Any) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.default is not dataclasses.MISSING and value == field.default:
            continue
        if isinstance(value, (Part, Happening)):
            value = value.value
        elif isinstance(value, Circumstances):
            value = _document(value)
        elif isinstance(value, tuple):
            value = [v if isinstance(v, str) else _document(v) for v in value]
        document[field.name] = value
    return document


def _choice(kind: type[Part] | type[Happening]) -> Callable[[Place], Any]:
    def read(place: Place) -> Any:
        known = [choice.value for choice in kind]
        if place.text() not in known:
            raise place.fail(f"one of {', '.join(known)}")
        return kind(place.value)

    return read


def _several(read: Callable[[Place], Any]) -> Callable[[Place], Any]:
    return lambda place: tuple(read(item) for item in place.items())


def _read(kind: type[T], place: Place) -> T:
    known = {field.name: field for field in dataclasses.fields(kind)}
    for name, field in known.items():
        if field.default is dataclasses.MISSING:
            place.at(name)  # says that it is missing
    values = {name: _READERS[kind, name](place.at(name)) for name in place.mapping() if name in known}
    return kind(**values)


def _reader_of(kind: type, name: str, annotation: str) -> Callable[[Place], Any]:
    plain: dict[str, Callable[[Place], Any]] = {
        "int": Place.integer,
        "str": Place.text,
        "float": Place.number,
        "Part": _choice(Part),
        "Happening": _choice(Happening),
        "Circumstances | None": read_circumstances,
        "tuple[str, ...]": _several(Place.text),
        "tuple[Involved, ...]": _several(lambda place: _read(Involved, place)),
        "tuple[ScenarioState, ...]": _several(lambda place: _read(ScenarioState, place)),
    }
    return plain[annotation]


_READERS: dict[tuple[type, str], Callable[[Place], Any]] = {
    (kind, field.name): _reader_of(kind, field.name, str(field.type))
    for kind in (Circumstances, Involved, Moment, ScenarioState)
    for field in dataclasses.fields(kind)
}
