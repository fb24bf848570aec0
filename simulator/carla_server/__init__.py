"""A CARLA server: the embedded town for the unmodified `carla` client. `python -m simulator.carla_server` starts it."""
