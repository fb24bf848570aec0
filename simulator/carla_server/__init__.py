"""A CARLA server: the embedded town on host:port for the unmodified `carla` client (`python -m simulator.carla_server`)."""
