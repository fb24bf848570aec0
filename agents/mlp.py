"""A small fully connected network as a kernel: quick for a few worlds, and the same bits for any number of them."""

from __future__ import annotations

import numpy as np

from simulator.kernel import kernel


@kernel
def layer(rows, weight, bias, rectify, out):  # type: ignore[no-untyped-def]
    """out = rows @ weight + bias, cut at 0 with `rectify`. float32[B, I], float32[I, O], float32[O], float32[B, O]."""
    for b in range(rows.shape[0]):
        for o in range(out.shape[1]):
            out[b, o] = bias[o]
        for i in range(rows.shape[1]):
            x = rows[b, i]
            for o in range(out.shape[1]):
                out[b, o] += x * weight[i, o]
        if rectify:
            for o in range(out.shape[1]):
                out[b, o] = max(out[b, o], np.float32(0.0))


class Mlp:
    """Layers with ReLU between them. Weights as torch keeps them: float32[O, I] and float32[O] each."""

    def __init__(self, layers: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self._layers = [
            (np.ascontiguousarray(weight.T, np.float32), np.ascontiguousarray(bias, np.float32))
            for weight, bias in layers
        ]

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """float32[B, O] of float32[B, I]."""
        for k, (weight, bias) in enumerate(self._layers):
            out = np.empty((len(rows), len(bias)), np.float32)
            layer(rows, weight, bias, k + 1 < len(self._layers), out)
            rows = out
        return rows
