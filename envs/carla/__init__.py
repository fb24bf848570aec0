"""Route worlds on a CARLA server: the same records, kernels and scores, with the ego vehicle in CARLA's hands.

`docs/carla_backend.md` tells what is whose. Importing this package imports neither `carla` nor Numba.
"""
