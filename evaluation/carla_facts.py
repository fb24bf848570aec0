"""`python -m evaluation.carla_facts OPTIONS`: version and towns of a CARLA server, or why none answers, as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import sys

from envs.carla.options import CarlaOptions
from envs.carla.session import CarlaSession
from simulator.errors import RouteGymError


def main(text: str) -> None:
    """Ask, and print one line of JSON."""
    session = CarlaSession(CarlaOptions.from_document(json.loads(text)))
    facts: dict[str, object]
    with contextlib.closing(session):
        try:
            client = session.client()
            facts = {"version": client.version, "towns": client.towns()}
        except RouteGymError as error:
            facts = {"error": str(error)}
    print(json.dumps(facts), flush=True)
    os._exit(0)  # what the client library does at its end is of no interest


if __name__ == "__main__":
    main(sys.argv[1])
