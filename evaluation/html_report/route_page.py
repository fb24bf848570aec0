"""The page of one attempt at a route: score, video, map, plots, story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.html_report.colors import STEPS
from evaluation.html_report.markup import number, page, safe
from evaluation.html_report.plots import Badge, drive_data, plots
from evaluation.html_report.route_map import Frame, frame_of, route_map, top_speed
from evaluation.story_words import reasons, told
from leaderboard_adapters.infraction_words import label_of
from leaderboard_adapters.recordings import Recording
from leaderboard_adapters.records import Infraction, RouteResult
from leaderboard_adapters.scores import penalty_factor
from leaderboard_adapters.story import Happening, Moment
from leaderboard_adapters.worlds import is_embedded
from scenarios.weather_words import weather_words
from simulator.roads.network import RoadNetwork
from simulator.state import TICK_SECONDS

_KMH = 3.6


@dataclass(frozen=True)
class Neighbours:
    """Links to other pages of the report: title and address; '' where there is none."""

    up: tuple[str, str]
    before: tuple[str, str] = ("", "")
    after: tuple[str, str] = ("", "")


def route_page(
    result: RouteResult,
    recording: Recording | None,
    network: RoadNetwork | None,
    *,
    video: str = "",
    missing: str = "",
    around: Neighbours,
) -> str:
    """The page.

    Args:
        recording: of the attempt, or None; `missing` then says why.
        network: the town, or None where its map is not there; `missing` may say so.
        video: address of its film, '' without one.
    """
    badges = numbered(result)
    title = _title(result)
    parts = [_navigation(around), f"<h1>{safe(title)}</h1>", _facts(result, recording), _equation(result)]
    if video:
        parts.append(f'<video controls preload="metadata" src="{safe(video)}"></video>')
    if recording is not None:
        frame = frame_of(recording)
        parts.append(_map(recording, network, frame, badges))
        marked = [Badge(n, infraction.tick * TICK_SECONDS) for n, infraction in badges if infraction.tick >= 0]
        parts.append(plots(recording, marked))
    if missing:
        parts.append(f'<p class="soft">{safe(missing)}</p>')
    parts.append("<h2>What happened</h2>")
    parts.append(_story(result, badges) if result.timeline else _without_timeline(result, badges))
    if result.notes:
        items = "".join(f"<li>{safe(note)}</li>" for note in result.notes)
        parts.append(f'<h3>Notes</h3><ul class="notes">{items}</ul>')
    if recording is not None:
        parts.append(drive_data(recording, frame))
    return page(title, "\n".join(parts), up="../")


def numbered(result: RouteResult) -> list[tuple[int, Infraction]]:
    """The infractions that are told, numbered by time."""
    told_of = [infraction for infraction in result.infractions if infraction.name != "min_speed_infractions"]
    return list(enumerate(sorted(told_of, key=lambda infraction: infraction.tick), 1))


def _title(result: RouteResult) -> str:
    repetition = f", repetition {result.repetition}" if result.repetition != "0" else ""
    return f"Route {result.xml_id}{repetition}: {result.scenario_type or 'no scenario'}"


def _navigation(around: Neighbours) -> str:
    links = [("", around.up), ("← ", around.before), ("→ ", around.after)]
    drawn = "".join(f'<a href="{safe(to)}">{mark}{safe(text)}</a>' for mark, (text, to) in links if to)
    return f"<nav>{drawn}</nav>"


def _facts(result: RouteResult, recording: Recording | None) -> str:
    weather = ""
    if recording is not None and len(recording.weather):
        weather = weather_words(recording.weather_at(0))
    elif result.weather_id:
        weather = f"weather {result.weather_id}"
    facts = [
        result.town + (" (synthetic corridor)" if result.synthetic else ""),
        f"{result.route_length:.0f} m" if result.route_length else "",
        weather,
        f"agent {result.agent}, seed {result.seed}" if result.agent else "",
        f"{result.duration_game:.1f} s of game time" if result.duration_game else "",
        f"world {result.world}" if result.world else "",
    ]
    return f'<div class="facts">{"".join(f"<span>{safe(fact)}</span>" for fact in facts if fact)}</div>'


def _equation(result: RouteResult) -> str:
    """How the driving score comes about."""
    factors = [(penalty_factor(i), label_of(i.name)) for i in result.infractions]
    product = "".join(f" × {factor:.3g} <small>{safe(name)}</small>" for factor, name in factors if factor < 1.0)
    mark = "good" if result.success else "bad"
    sign = "✓" if result.success else "✗"
    verdict = "success" if result.success else "no success"
    return (
        f'<p class="equation"><b>{result.score_composed:.2f}</b> <small>driving score</small> = '
        f"{result.score_route:.2f} <small>% of the route</small>{product}</p>"
        f'<p class="{mark}">{sign} {safe(result.status)} <span class="soft">({verdict})</span></p>'
    )


def _map(
    recording: Recording, network: RoadNetwork | None, frame: Frame, badges: Sequence[tuple[int, Infraction]]
) -> str:
    ego = recording.ego
    way = np.stack([ego["x"], ego["y"]], axis=1)
    pins = []

    def pin(kind: str, text: str, place: np.ndarray, title: str = "") -> None:
        left, top = frame.percent(place[None])[0]
        if -1.0 < left < 101.0 and -1.0 < top < 101.0:
            named = f' title="{safe(title)}"' if title else ""
            pins.append(f'<span class="pin {kind}" style="left:{left:.2f}%;top:{top:.2f}%"{named}>{safe(text)}</span>')

    for scenario in recording.scenarios:
        pin("star", "★", np.array([scenario.x, scenario.y]), f"{scenario.name} triggers here")
    pin("end", "start", way[0])
    groups: list[tuple[np.ndarray, list[int]]] = []  # infractions that fall on one spot share a pin
    for n, infraction in badges:
        if 0 <= infraction.tick < len(way):
            place = way[infraction.tick]
            near = [group for group in groups if _close(frame, group[0], place)]
            if near:
                near[0][1].append(n)
            else:
                groups.append((place, [n]))
    ended = way[-1]
    if recording.header.get("score_route", 0) < 100 and not any(_close(frame, place, ended) for place, _ in groups):
        pin("end", "end", ended)
    for place, numbers in groups:
        pin("badge", ",".join(map(str, numbers)), place)
    pins.append('<span class="pin ego"></span>')
    top = top_speed(recording) * _KMH
    swatches = "".join(f'<rect x="{11 * k}" width="11" height="9" fill="{color}"/>' for k, color in enumerate(STEPS))
    legend = (
        f'<span>0<svg width="{11 * len(STEPS)}" height="9">{swatches}</svg>{top:.0f} km/h</span>'
        '<span><i class="dotted"></i>planned route</span>'
        '<span><span class="badge" style="background:var(--star)">★</span> trigger</span>'
        "<span><i></i>actors of scenarios</span>"
    )
    if badges:
        legend += '<span><span class="badge">1</span> infraction</span>'
    drawn = route_map(recording, network, frame)
    return f'<div class="map">{drawn}{"".join(pins)}</div><div class="legend">{legend}</div>'


def _close(frame: Frame, a: np.ndarray, b: np.ndarray) -> bool:
    """Whether pins at two places of the world would cover each other."""
    return bool(np.abs(np.diff(frame.percent(np.stack([a, b])), axis=0)).max() < 2.5)


def _story(result: RouteResult, badges: Sequence[tuple[int, Infraction]]) -> str:
    booked: dict[tuple[int, str], tuple[int, Infraction]] = {}
    for n, infraction in badges:
        booked.setdefault((infraction.tick, infraction.message), (n, infraction))
    rows = [_moment(moment, booked.get((moment.tick, moment.text))) for moment in result.timeline]
    return f'<table class="story"><tbody>{"".join(rows)}</tbody></table>'


def _moment(moment: Moment, known: tuple[int, Infraction] | None) -> str:
    seconds = moment.tick * TICK_SECONDS
    badge, infraction = "", None
    if moment.kind == Happening.INFRACTION and known is not None:
        badge, infraction = f'<span class="badge">{known[0]}</span> ', known[1]
    name = f"<b>{safe(moment.scenario)}</b> " if moment.scenario else ""
    why = "".join(f'<div class="why">{safe(line)}</div>' for line in reasons(infraction, moment))
    return (
        f'<tr class="{moment.kind.value}" data-time="{seconds:.2f}"><td class="n">{seconds:.2f} s</td>'
        f'<td class="n wide">{moment.speed * _KMH:.0f} km/h</td>'
        f'<td><span class="what">{badge}{name}{safe(told(moment))}</span>{why}</td></tr>'
    )


def _without_timeline(result: RouteResult, badges: Sequence[tuple[int, Infraction]]) -> str:
    rows = []
    for n, infraction in badges:
        at = f"{infraction.tick * TICK_SECONDS:.2f} s" if infraction.tick >= 0 else "–"
        cost = penalty_factor(infraction)
        factor = f'<div class="why">the score is multiplied by {number(cost, 3)}</div>' if cost < 1.0 else ""
        rows.append(
            f'<tr class="infraction"><td class="n">{at}</td><td><span class="what"><span class="badge">{n}</span> '
            f"{safe(infraction.message)}</span>{factor}</td></tr>"
        )
    told_of = f'<table class="story"><tbody>{"".join(rows)}</tbody></table>' if rows else "<p>No infraction.</p>"
    whose = "another version" if is_embedded(result.world) else "another evaluator"
    return (
        f'{told_of}<p class="soft">This result comes from {whose} and holds no timeline: when and why things happened '
        "is not known. Official files hold infraction messages and scores only.</p>"
    )
