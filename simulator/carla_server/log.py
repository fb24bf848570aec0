"""The server's log: one line an event, on standard error."""

from __future__ import annotations

import logging
import sys

LOG = logging.getLogger("routegym.carla_server")


def start_log(*, quiet: bool) -> None:
    """Write events to standard error; with `quiet` only what went wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    LOG.handlers = [handler]
    LOG.propagate = False
    LOG.setLevel(logging.WARNING if quiet else logging.INFO)


def one_line(text: object, longest: int = 300) -> str:
    """A text without line breaks, cut where it is long."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= longest else flat[: longest - 3] + "..."
