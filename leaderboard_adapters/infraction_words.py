"""Infractions in a few plain words, for tables, charts and captions; the official messages are longer."""

from __future__ import annotations

import re

from leaderboard_adapters.records import Infraction

#: Words for the infraction lists of the official files, and for what a route or record can lack.
LABELS = {
    "collisions_layout": "hit static object",
    "collisions_pedestrian": "hit pedestrian",
    "collisions_vehicle": "hit vehicle",
    "red_light": "red light",
    "stop_infraction": "stop sign",
    "outside_route_lanes": "outside lanes",
    "min_speed_infractions": "min-speed entry (costs nothing)",
    "yield_emergency_vehicle_infractions": "failed to yield",
    "scenario_timeouts": "scenario timeout",
    "route_dev": "deviated from the route",
    "vehicle_blocked": "blocked",
    "route_timeout": "route timeout",
    "route_not_completed": "route not completed",
    "no_record": "route without record",
}


def label_of(name: str) -> str:
    """Words for an infraction list; a list that is not known keeps its name."""
    return LABELS.get(name, name.replace("_", " "))


def caption_of(infraction: Infraction) -> str:
    """One infraction in words, with what was hit where the message tells."""
    text = label_of(infraction.name)
    hit = re.search(r"type=(\S+)", infraction.message)
    if hit and not hit[1].startswith("static.static"):
        text += f": {hit[1].partition('.')[2].replace('_', ' ')}"
    return text[:1].upper() + text[1:]
