"""The CARLA server's page says what the method table says."""

from __future__ import annotations

from simulator.carla_server.coverage import coverage_table
from simulator.carla_server.methods import Support, load_methods
from tests.carla_servers import ROOT


def test_the_table_of_methods_is_the_one_in_the_docs():
    assert coverage_table() in (ROOT / "docs" / "carla_server.md").read_text(encoding="utf-8")


def test_every_method_that_is_not_carlas_says_why():
    silent = [m.name for m in load_methods().values() if m.support is not Support.WORKS and not m.note]
    assert silent == []
