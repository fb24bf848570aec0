"""The first page of a report: what runs scored, how they differ, where points were lost, all routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.html_report.markup import bar, breakable, dumbbell, histogram, number, page, safe, strip, table, whisker
from evaluation.inference import inference_line, inference_summary
from evaluation.story_words import costs
from leaderboard_adapters.abilities import SIGNS
from leaderboard_adapters.infraction_words import label_of
from leaderboard_adapters.intervals import Interval, PairedDifference
from leaderboard_adapters.records import RouteResult
from leaderboard_adapters.report import Comparison, Report
from leaderboard_adapters.scores import PENALTY_FACTORS, SCORER
from leaderboard_adapters.sheet import INCOMPLETE, MISSING, Sheet
from leaderboard_adapters.sheet_tables import STATUSES, share_text, subtitle

_MARKS = {"error": "✗", "warning": "!", "note": "·"}
_MOST_FINDINGS = 14
_MOST_OPEN = 30  # rows of a table that is shown unasked
_COSTLY = (*PENALTY_FACTORS, "outside_route_lanes", INCOMPLETE, MISSING)


def index_page(report: Report, pages: Mapping[tuple[int, str], str], videos: frozenset[tuple[int, str]]) -> str:
    """The page.

    Args:
        pages: address of the page of each attempt, by number of the sheet and route id.
        videos: the attempts that have a film.
    """
    sheets = report.sheets
    title = "Score report: " + ", ".join(sheet.name for sheet in sheets[:3]) + (", ..." if len(sheets) > 3 else "")
    parts = []
    if len(sheets) > 1:
        links = "".join(f'<a href="#run-{k}">{safe(sheet.name)}</a>' for k, sheet in enumerate(sheets))
        parts += ["<h1>Score report</h1>", f'<nav><a href="#compared">Compared</a>{links}</nav>']
        parts.append(_compared(report, pages))
    for k, sheet in enumerate(sheets):
        parts.append(f'<section class="run" id="run-{k}">{_run(k, sheet, pages, videos)}</section>')
    if report.problems:
        items = "".join(f"<li>{safe(problem)}</li>" for problem in report.problems)
        parts.append(f'<h2>Not read</h2><ul class="notes">{items}</ul>')
    parts.append(_footer())
    return page(title, "\n".join(parts))


def _footer() -> str:
    return (
        "<footer><p>Driving score: mean over routes of completion times penalty. Success: finished without any "
        "infraction but low speed. Penalty: product of the factors of all infractions of a route. Intervals: 95 % "
        "bootstrap over routes; they say nothing about the spread over repetitions or seeds. "
        f"Scoring rules: {SCORER}. A score from an embedded world is no Bench2Drive score.</p></footer>"
    )


# One run


def _run(k: int, sheet: Sheet, pages: Mapping[tuple[int, str], str], videos: frozenset[tuple[int, str]]) -> str:
    agent = f"{sheet.run.agent}, seed {sheet.run.seed}. " if sheet.run and sheet.run.agent else ""
    parts = [
        f"<h1>{safe(sheet.name)}</h1>",
        f'<p class="soft lead">{safe(agent)}{safe(_first_upper(subtitle(sheet)))}.</p>',
        _tiles(sheet),
        _inference(sheet),
        _findings(sheet),
        _lost(sheet),
        '<div class="columns">',
        _abilities(sheet),
        f"<div>{_distribution(sheet)}</div></div>",
        _scenarios(sheet),
        _routes(k, sheet, pages, videos),
    ]
    return "\n".join(parts)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _tiles(sheet: Sheet) -> str:
    speed, comfort = sheet.efficiency_interval, sheet.comfort
    tiles = [
        _tile("Driving score", sheet.driving_score, 2, first=True),
        _tile("Success rate, %", sheet.success_rate, 1),
        _tile("Route completion, %", sheet.route_completion, 1),
        _tile("Infraction penalty", sheet.penalty, 3, top=1.0),
    ]
    if speed is None:
        tiles.append(_blank("Efficiency, %", "no entries"))
    else:
        tiles.append(_tile("Efficiency, %", speed, 1, top=max(200.0, speed.high)))
    if comfort is None:
        tiles.append(_blank("Comfort, %", "nothing logged"))
    else:
        tiles.append(
            _blank(
                "Comfort, %",
                f"corrected formula {share_text(comfort.corrected)}",
                share_text(comfort.official),
                comfort.official,
            )
        )
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _inference(sheet: Sheet) -> str:
    """What deciding cost, of runs of a policy."""
    found = inference_summary(sheet.results)
    return "" if found is None else f'<p class="soft">{safe(_first_upper(inference_line(found)))}.</p>'


def _tile(label: str, interval: Interval, digits: int, *, top: float = 100.0, first: bool = False) -> str:
    between = f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"
    return (
        f'<div class="tile{" first" if first else ""}"><span>{label}</span><b>{interval.value:.{digits}f}</b>'
        f"{whisker(interval.value, interval.low, interval.high, 0.0, top)}<span>{between}</span></div>"
    )


def _blank(label: str, below: str, value: str = "–", share: float | None = None) -> str:
    """A tile without an interval; `share` 0..1 stands on the line."""
    line = "" if share is None else whisker(100 * share, 100 * share, 100 * share, 0.0, 100.0)
    return f'<div class="tile"><span>{label}</span><b>{value}</b>{line}<span>{safe(below)}</span></div>'


def _findings(sheet: Sheet) -> str:
    if not sheet.findings:
        return ""
    items = [
        f'<li class="{"bad" if f.severity == "error" else "soft" if f.severity == "note" else ""}">'
        f"<b>{_MARKS[f.severity]} {safe(f.kind)}</b> {safe(f.text)}</li>"
        for f in sheet.findings[:_MOST_FINDINGS]
    ]
    rest = len(sheet.findings) - _MOST_FINDINGS
    if rest > 0:
        items.append(f'<li class="soft">and {rest} more; report.json, written with --out, has all of them</li>')
    return f'<ul class="findings">{"".join(items)}</ul>'


def _lost(sheet: Sheet) -> str:
    """What each kind of infraction cost."""
    shown = [row for row in sheet.components if row.count]
    if not shown:
        return ""
    top = max([row.points_lost for row in shown] + [1e-9])
    rows = []
    for row in sorted(shown, key=lambda row: (-row.points_lost, row.name)):
        costly = row.name in _COSTLY
        own = row.name in (INCOMPLETE, MISSING)
        rows.append(
            (
                safe(label_of(row.name)),
                bar(row.points_lost, top, "bad") if costly else "",
                f"<b>{row.points_lost:.2f}</b>" if costly else "–",
                str(row.count),
                str(row.routes),
                "" if own or sheet.km < 0.01 else f"{row.per_km:.2f}",
            )
        )
    columns = (
        ("", "name"),
        ("", "chart long"),
        ("points lost", "n"),
        ("count", "n"),
        ("routes", "n"),
        ("per km", "n wide"),
    )
    return (
        f"<h2>Where points were lost</h2>{table(columns, rows)}"
        f"<p><small>Over {sheet.km:.2f} km. Points lost: driving score gained if this alone were forgiven. They do not "
        "add up, because penalties multiply.</small></p>"
    )


def _abilities(sheet: Sheet) -> str:
    values = sheet.abilities.values()
    rows = []
    for score in sheet.abilities.scores:
        value = values[score.name]
        chart = bar(100.0 * value) if value is not None else ""
        rows.append((safe(score.name.replace("_", " ")), chart, share_text(value), f"{score.successes}/{score.routes}"))
    mean = sheet.abilities.mean
    rows.append(("<b>Mean</b>", bar(100.0 * mean), f"<b>{100 * mean:.2f}</b>", ""))
    notes = []
    if sheet.abilities.note:
        notes.append(f"{sheet.abilities.note.replace('_', ' ')}.")
    for version, signs in sheet.abilities.signs.items():
        between = f"{100 * signs.low:.2f}" if signs.exact else f"{100 * signs.low:.2f} to {100 * signs.high:.2f}"
        notes.append(f"{SIGNS.replace('_', ' ')} by the rule of {version}: {between}.")
    columns = (("", "name"), ("", "chart"), ("%", "n"), ("succeeded", "n"))
    return f"<div><h2>Abilities</h2>{table(columns, rows)}<p><small>{safe(' '.join(notes))}</small></p></div>"


def _distribution(sheet: Sheet) -> str:
    scores = [result.score_composed for result in sheet.results]
    rows = [
        (safe(STATUSES.get(status, status)), bar(count, sheet.recorded), str(count))
        for status, count in sheet.statuses.items()
    ]
    return (
        f"<h2>Driving scores of routes</h2>{histogram(scores, 'routes by driving score')}"
        f"<h3>How routes ended</h3>{table((('', ''), ('', 'chart'), ('routes', 'n')), rows)}"
    )


def _scenarios(sheet: Sheet) -> str:
    by_type: dict[str, list[float]] = {}
    for result in sheet.results:
        by_type.setdefault(result.scenario_type, []).append(result.score_composed)
    rows = []
    for row in sheet.scenarios:
        worst = f"{label_of(row.worst_infraction)} ({row.worst_routes})" if row.worst_infraction else ""
        rows.append(
            (
                breakable(row.scenario_type or "(none)"),
                f"@{row.driving_score:.4f}@{strip(by_type[row.scenario_type], row.driving_score)}",
                f"{row.driving_score:.1f}",
                f"{row.success_rate:.0f}",
                f"{row.route_completion:.1f}",
                str(row.recorded),
                safe(worst),
            )
        )
    columns = (
        *(("scenario type", "name"), ("driving score of each route", "chart wide"), ("DS", "n"), ("SR %", "n")),
        *(("RC %", "n wide"), ("routes", "n"), ("most frequent", "wide")),
    )
    return f"<h2>Scenario types</h2>{table(columns, rows, sortable=True)}"


def _routes(k: int, sheet: Sheet, pages: Mapping[tuple[int, str], str], videos: frozenset[tuple[int, str]]) -> str:
    speeds = dict(sheet.efficiency.by_route)
    one_town = len({(result.town, result.synthetic) for result in sheet.results}) == 1
    rows = []
    for result in sheet.results:
        key = (k, result.route_id)
        name = result.xml_id + (f" rep {result.repetition}" if result.repetition != "0" else "")
        link = f'<a href="{safe(pages[key])}">{safe(name)}</a>' if key in pages else safe(name)
        film = f' <a href="{safe(pages[key])}" title="with video">▶</a>' if key in videos else ""
        sign, kind = ("✓", "good") if result.success else ("✗", "bad")
        rows.append(
            (
                f"@{safe(name)}@{link}{film}",
                breakable(result.scenario_type or "–"),
                "" if one_town else safe(result.town + (" (synthetic)" if result.synthetic else "")),
                f'<span class="{kind}">{sign}</span>',
                f"@{result.score_composed:.4f}@{bar(result.score_composed)}",
                f"{result.score_composed:.2f}",
                f"{result.score_route:.1f}",
                f"{result.score_penalty:.3f}",
                number(speeds.get(result.route_id), 0),
                "–" if result.comfort is None else f"{100 * result.comfort:.0f}",
                safe(_cost_words(result)),
            )
        )
    columns = (
        *(
            ("route", "n"),
            ("scenario type", "name"),
            ("" if one_town else "town", "wide"),
            ("", ""),
            ("driving score", "chart small wide"),
        ),
        *(("DS", "n"), ("RC %", "n wide"), ("penalty", "n wide"), ("effic. %", "n wide"), ("comfort %", "n wide")),
        ("what cost points", "cost"),
    )
    name = f"routes-{k}"
    search = (
        f'<form class="filter" data-table="{name}" onsubmit="return false"><input type="search" '
        'placeholder="scenario, town, infraction ..." aria-label="filter routes">'
        '<label><input type="checkbox"> without success only</label><output class="soft"></output></form>'
    )
    return f"<h2>Routes</h2>{search}{table(columns, rows, name=name, sortable=True)}"


def _cost_words(result: RouteResult) -> str:
    """Infractions in words, with their factors, and how the route ended where it was not completed."""
    words = []
    for text in costs(result):
        count, name, factor = text.split(" ", 2)
        words.append(f"{'' if count == '1' else count + ' × '}{label_of(name)} {factor}".replace("(x", "(×"))
    if result.score_route < 100:
        words.append(STATUSES.get(result.status, result.status).removeprefix("Failed - "))
    elif not result.success and not words:
        words.append("no success")
    return "; ".join(words)


# Several runs


def _compared(report: Report, pages: Mapping[tuple[int, str], str]) -> str:
    rows = []
    for k, sheet in enumerate(report.sheets):
        rows.append(
            (
                f'<a href="#run-{k}">{safe(sheet.name)}</a>',
                whisker(sheet.driving_score.value, sheet.driving_score.low, sheet.driving_score.high, 0.0, 100.0),
                f"<b>{sheet.driving_score.value:.2f}</b>",
                f"{sheet.success_rate.value:.1f}",
                f"{sheet.route_completion.value:.1f}",
                f"{sheet.penalty.value:.3f}",
                number(sheet.efficiency.value),
                share_text(sheet.comfort.official) if sheet.comfort else "–",
                f"{100 * sheet.abilities.mean:.1f}",
                f"{sheet.recorded}/{sheet.total}",
            )
        )
    columns = (
        *(("run", "name"), ("driving score", "chart"), ("DS", "n"), ("SR %", "n"), ("RC %", "n")),
        *(("penalty", "n wide"), ("effic. %", "n wide"), ("comfort %", "n wide")),
        *(("ability", "n wide"), ("routes", "n wide")),
    )
    return (
        f'<section id="compared"><h2>Side by side</h2>{table(columns, rows)}'
        f"{_differences(report)}{_route_by_route(report, pages)}</section>"
    )


def _differences(report: Report) -> str:
    """Each run less the first, over the routes that both have."""
    known = [c for c in report.comparisons if c.driving_score is not None and c.success_rate is not None]
    bounds = [
        bound
        for c in known
        for pair in (c.driving_score, c.success_rate)
        if pair
        for bound in (abs(pair.difference.low), abs(pair.difference.high))
    ]
    most = max([*bounds, 1.0])
    reach = next((float(step) for step in (1, 2, 5, 10, 20, 50) if most <= step), 100.0)
    rows = []
    for comparison in known:
        for label, pair in (("driving score", comparison.driving_score), ("success rate, %", comparison.success_rate)):
            assert pair is not None
            rows.append((safe(comparison.other), label, *_difference_cells(pair, reach)))
    told = [f"<p>{safe(c.other)}: {safe(c.refused)}.</p>" for c in report.comparisons if c not in known]
    columns = (
        *(("run", "name"), ("", "name"), (f"−{reach:.0f} to +{reach:.0f}", "chart"), ("difference", "n")),
        *(("95 % interval", "n wide"), ("better / worse / equal", "n wide")),
    )
    made = table(columns, rows) if rows else ""
    note = (
        "<p><small>Over the routes that both have, route by route. Bold: the interval does not hold 0.</small></p>"
        if rows
        else ""
    )
    return f"<h2>Difference to {safe(report.sheets[0].name)}</h2>{made}{note}{''.join(told)}"


def _difference_cells(pair: PairedDifference, reach: float) -> tuple[str, ...]:
    d = pair.difference
    value = f"{d.value:+.2f}"
    return (
        whisker(d.value, d.low, d.high, -reach, reach),
        f"<b>{value}</b>" if d.low > 0 or d.high < 0 else value,
        f"{d.low:+.1f} to {d.high:+.1f}",
        f"{pair.better} / {pair.worse} / {pair.equal}",
    )


def _route_by_route(report: Report, pages: Mapping[tuple[int, str], str]) -> str:
    """Driving scores of all comparable runs, the largest differences first."""
    refused = {c.other for c in report.comparisons if c.refused}
    shown = [k for k, sheet in enumerate(report.sheets) if k == 0 or not _is_refused(report.comparisons, k)]
    if len(shown) < 2 or len(refused) == len(report.comparisons):
        return ""
    scores: list[dict[str, RouteResult]] = [{r.route_id: r for r in report.sheets[k].results} for k in shown]
    common = [route for route in scores[0] if any(route in other for other in scores[1:])]

    def spread(route: str) -> float:
        values = [each[route].score_composed for each in scores if route in each]
        return max(values) - min(values)

    rows = []
    for route in sorted(common, key=lambda route: (-spread(route), route)):
        first = scores[0][route]
        name = first.xml_id + (f" rep {first.repetition}" if first.repetition != "0" else "")
        cells = []
        for k, each in zip(shown, scores):
            if route not in each:
                cells.append("–")
                continue
            text = f"{each[route].score_composed:.1f}"
            cells.append(f'<a href="{safe(pages[k, route])}">{text}</a>' if (k, route) in pages else text)
        chart = dumbbell([each[route].score_composed if route in each else None for each in scores])
        rows.append((safe(name), breakable(first.scenario_type), chart, f"{spread(route):.1f}", *cells))
    columns = (
        *(("route", "n"), ("scenario type", "name"), ("", "chart wide"), ("spread", "n")),
        *((report.sheets[k].name, "n") for k in shown),
    )
    opened = " open" if len(rows) <= _MOST_OPEN else ""
    title = f"Driving scores, route by route <small>({len(rows)} routes, ring: {safe(report.sheets[0].name)})</small>"
    return f"<details{opened}><summary><h2>{title}</h2></summary>{table(columns, rows, sortable=True)}</details>"


def _is_refused(comparisons: Sequence[Comparison], k: int) -> bool:
    return bool(comparisons[k - 1].refused)
