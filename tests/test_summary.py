"""The score table on the screen."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from evaluation.summary import print_summary
from tests.result_samples import driven

LONGEST = "VanillaNonSignalizedTurnEncounterStopsign"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_figures_are_whole_however_narrow_the_window(width):
    out = io.StringIO()
    result = replace(driven(1, LONGEST), score_composed=71.25, score_route=98.5, score_penalty=0.723)
    print_summary(Console(file=out, width=width), "someone on something", [result])
    row = next(line for line in out.getvalue().splitlines() if "Vanilla" in line)
    name, *figures = (cell.strip() for cell in row.strip("│").split("│"))
    assert figures == ["1", "71.25", "100.0", "98.5", "0.723"]
    assert LONGEST.startswith(name.rstrip("…"))
    assert (name == LONGEST) == (width == 200)
