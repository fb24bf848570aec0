"""What the checks of a map share: the report of defects and warnings, and the roads as they look them up."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from simulator.errors import MapError
from simulator.roads.opendrive import Document

MOST_LISTED = 20  # defects written out in one error

_LARGEST_ID = 2**31 - 1


class Report:
    """Defects (which end in an error) and warnings (one a kind, counted)."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._defects: list[tuple[int, str]] = []
        self._warnings: dict[str, tuple[str, int]] = {}

    def defect(self, element: Element, where: str, wrong: str, mend: str) -> None:
        """Something that crashes CARLA's parser, or makes it read a wrong map."""
        text = f"{self._place(element, where)}: {wrong}; {mend}"
        self._defects.append((self._document.line(element), text))

    def warn(self, element: Element, where: str, wrong: str, mend: str) -> None:
        """Something harmless; of several with the same words, only the first is written out."""
        first, count = self._warnings.get(wrong, (f"{self._place(element, where)}: {wrong}; {mend}", 0))
        self._warnings[wrong] = (first, count + 1)

    def number(self, element: Element, name: str, where: str, default: float | None = None) -> float | None:
        """A finite number from an attribute (`default` where it is missing), or None after reporting the defect."""
        text = element.get(name)
        if text is None and default is not None:
            return default
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        said = "is missing" if text is None else f'"{text}" is not a finite number'
        self.defect(element, where, f"<{element.tag}> {name} {said}", "write a number")
        return None

    def identifier(self, element: Element, name: str, where: str, *, most: int = _LARGEST_ID) -> int | None:
        """A natural number from an attribute, or None after reporting the defect."""
        text = element.get(name)
        if text is not None and re.fullmatch(r"\d+", text) and int(text) <= most:
            return int(text)
        said = f'{name} "{text}" is' if text is not None else f"{name} is missing,"
        wrong = f"{said} not a whole number from 0 to {most}, and CARLA reads it as another id"
        self.defect(element, where, wrong, "give it a number of its own")
        return None

    def finish(self) -> list[str]:
        """Warnings, in order of appearance.

        Raises:
            MapError: there are defects.
        """
        if self._defects:
            lines = [text for _, text in sorted(self._defects, key=lambda d: d[0])]
            more = len(lines) - MOST_LISTED
            count = "1 defect" if len(lines) == 1 else f"{len(lines)} defects"
            listed = lines[:MOST_LISTED] + ([f"... and {more} more"] if more > 0 else [])
            raise MapError(f"{self._document.what}: {count} in the map\n  " + "\n  ".join(listed))
        return [text + (f" (and {n - 1} more like this)" if n > 1 else "") for text, n in self._warnings.values()]

    def _place(self, element: Element, where: str) -> str:
        return f"{self._document.what}:{self._document.line(element)}: {where}"


@dataclass
class SectionNode:
    """A `<laneSection>`: its begin, its lanes by id."""

    element: Element
    s: float
    lanes: dict[int, Element]
    where: str


@dataclass
class RoadNode:
    """A `<road>` with what the other checks look up."""

    element: Element
    id: int
    length: float
    where: str
    sections: list[SectionNode] = field(default_factory=list)
