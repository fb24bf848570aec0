"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Property tests draw the same examples every time, and no time limit judges a machine that is busy.
# `pytest --hypothesis-profile explore` draws new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def official_data() -> Path:
    """Folder of third-party route files, towns and results (`ROUTEGYM_DATA`); tests that need it skip without it."""
    folder = os.environ.get("ROUTEGYM_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ROUTEGYM_DATA does not name a folder with the official data")
    return Path(folder)


@pytest.fixture(scope="session")
def carla_server() -> Iterator:
    """Our CARLA server on MiniTown, one for all tests: CARLA's client does not bear that a server ends before it."""
    from tests.carla_servers import running

    with running() as server:
        yield server
