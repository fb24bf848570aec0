"""The embedded town: roads, world state, dynamics, traffic, signals."""

#: Version of the town's behaviour, part of every result. Raise it when the same seed no longer drives the same.
WORLD_VERSION = "2"

#: Name of this world in every result: scores of different worlds are not compared.
WORLD = f"routegym-embedded/{WORLD_VERSION}"
