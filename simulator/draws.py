"""Random draws of a world. All of them come from the state that travels with the world, so copies repeat them."""

from __future__ import annotations

import math

import numpy as np

from simulator.kernel import kernel


@kernel
def seed_draws(w, seed, stream):  # type: ignore[no-untyped-def]
    """Start a world's draws from (seed, stream), such as (episode seed, hash of the route id)."""
    w.rng = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(stream) * np.uint64(0xD1B54A32D192ED03)
    next_bits(w)
    next_bits(w)


@kernel
def next_bits(w):  # type: ignore[no-untyped-def]
    """64 random bits (SplitMix64, Steele et al. 2014)."""
    w.rng = w.rng + np.uint64(0x9E3779B97F4A7C15)
    z = np.uint64(w.rng)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@kernel
def uniform(w, low, high):  # type: ignore[no-untyped-def]
    """Uniform in [low, high)."""
    return low + (high - low) * (np.float64(next_bits(w) >> np.uint64(11)) * (1.0 / 9007199254740992.0))


@kernel
def normal(w, mean, deviation):  # type: ignore[no-untyped-def]
    """Normal by Box-Muller; two draws a call."""
    u = max(uniform(w, 0.0, 1.0), 1e-300)
    return mean + deviation * math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * uniform(w, 0.0, 1.0))


@kernel
def choose(w, count):  # type: ignore[no-untyped-def]
    """Integer in 0..count-1."""
    return min(int(uniform(w, 0.0, 1.0) * count), count - 1)
