"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def official_data() -> Path:
    """Folder of third-party route files, towns and results (`ROUTEGYM_DATA`); tests that need it skip without it."""
    folder = os.environ.get("ROUTEGYM_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ROUTEGYM_DATA does not name a folder with the official data")
    return Path(folder)
