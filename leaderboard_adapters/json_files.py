"""JSON files: read with errors that name the file and the place in it, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from simulator.errors import ResultFileError


class Place:
    """A JSON value with its place in the file, which the `ResultFileError` of a getter names when the type is wrong."""

    def __init__(self, path: str, value: Any, place: str = "") -> None:
        self.path, self.value, self.place = path, value, place

    def fail(self, expected: str) -> ResultFileError:
        shown = json.dumps(self.value, default=str)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return ResultFileError(
            f"{self.path}: {self.place or 'top level'}: expected {expected}, found {shown}. "
            "Fix the file, or remove it and drive its routes again."
        )

    def has(self, key: str) -> bool:
        return key in self.mapping()

    def at(self, key: str | int) -> Place:
        if isinstance(key, int):
            return Place(self.path, self.value[key], f"{self.place}[{key}]")
        mapping, place = self.mapping(), f"{self.place}.{key}".lstrip(".")
        if key not in mapping:
            raise ResultFileError(
                f"{self.path}: {place} is missing. Fix the file, or remove it and drive its routes again."
            )
        return Place(self.path, mapping[key], place)

    def mapping(self) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.fail("an object")
        return self.value

    def items(self) -> list[Place]:
        if not isinstance(self.value, list):
            raise self.fail("a list")
        return [self.at(i) for i in range(len(self.value))]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.fail("a string")
        return self.value

    def number(self, low: float = -math.inf) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise self.fail("a number")
        if not math.isfinite(self.value):
            raise self.fail("a finite number")
        if self.value < low:
            raise self.fail(f"a number of at least {low:g}")
        return self.value

    def integer(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.fail("a whole number")
        return self.value

    def truth(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.fail("true or false")
        return self.value


def read_json(path: str | os.PathLike[str]) -> Any:
    """Any JSON file. Raises `ResultFileError` with the line for one that cannot be read, is empty, or is cut off."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise ResultFileError(f"{path}: byte {error.start} is not UTF-8 text; this is no result file.") from None
    if not text.strip():
        raise ResultFileError(f"{path}: the file is empty; its evaluation ended before its first route. Run it again.")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = "the file is cut off" if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg else error.msg
        raise ResultFileError(
            f"{path}: line {error.lineno}, column {error.colno}: {cut}. Remove the file and drive its routes again."
        ) from None
    except (ValueError, RecursionError) as error:
        raise ResultFileError(f"{path}: not a result file: {str(error) or 'nested too deeply'}.") from None


def write_json(path: str | os.PathLike[str], document: Any) -> None:
    """Write a document with the official indentation, whole or not at all (a crash leaves the old file)."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.write_text(json.dumps(document, indent=4, allow_nan=False), encoding="utf-8")
    os.replace(partial, target)
