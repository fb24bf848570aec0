"""Random draws of sensors: a hash of (world's seed and route, sensor, tick, number of the draw).

Nothing is kept between draws and nothing is taken from the world's own random state. So a measurement is the same after
a restore, in a fork, in a batch of any size and whether or not other sensors are read; and traffic is the same with
sensors and without.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel


@kernel
def mix(bits):  # type: ignore[no-untyped-def]
    """One round of SplitMix64's finaliser (Steele et al. 2014)."""
    z = np.uint64(bits) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def noise_key(w, sensor, noise_seed):  # type: ignore[no-untyped-def]
    """uint64 key of all draws of one sensor in one tick. `sensor`: its number in the rig."""
    key = mix(np.uint64(w.seed))
    key = mix(key ^ np.uint64(w.route))
    key = mix(key ^ np.uint64(sensor))
    key = mix(key ^ np.uint64(noise_seed))
    return mix(key ^ np.uint64(w.tick))


@kernel
def noise_uniform(key, draw):  # type: ignore[no-untyped-def]
    """Uniform in [0, 1)."""
    return np.float64(mix(np.uint64(key) ^ mix(np.uint64(draw))) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def noise_normal(key, draw):  # type: ignore[no-untyped-def]
    """Standard normal (Box-Muller). Normal and uniform draws of one key take different numbers."""
    u = max(noise_uniform(key, 2 * draw), 1e-300)
    return math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * noise_uniform(key, 2 * draw + 1))
