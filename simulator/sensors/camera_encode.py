"""CARLA's image encodings: bytes B, G, R, A of every pixel.

| camera | bytes | after |
|---|---|---|
| depth | metres = 1000 (R + 256 G + 65536 B) / (256^3 - 1), along the view axis; white: nothing | sensor reference |
| semantic segmentation | R the class (`scenery.tags.Tag`), G = B = 0 | sensor reference |
| instance segmentation | R the class, G the low, B the high byte of the instance's number | GetActorLabelColor |

A (alpha) is 255.
"""

from __future__ import annotations

import numpy as np

from simulator.kernel import kernel_on_loan
from simulator.scenery.tags import Tag

DEPTH_RANGE = 1000.0  # metres
_SKY = int(Tag.SKY)
_LAST = 256.0**3 - 1.0
_SCALE = np.float32(_LAST / DEPTH_RANGE)


@kernel_on_loan
def encode_depth(inverse_depth, out):  # type: ignore[no-untyped-def]
    """uint32[H, W] from float32[H, W] inverse metres."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            inverse = inverse_depth[y, x]
            code = np.uint32(0xFFFFFF)
            if inverse > np.float32(1.0 / DEPTH_RANGE):
                code = np.uint32(np.int32(_SCALE / inverse + np.float32(0.5)))
            low, middle, high = code & np.uint32(255), (code >> np.uint32(8)) & np.uint32(255), code >> np.uint32(16)
            out[y, x] = np.uint32(0xFF000000) | (low << np.uint32(16)) | (middle << np.uint32(8)) | high


@kernel_on_loan
def encode_tags(ids, tag, out):  # type: ignore[no-untyped-def]
    """uint32[H, W] with the class in R."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            t = ids[y, x]
            what = np.uint32(tag[t]) if t >= 0 else np.uint32(_SKY)
            out[y, x] = np.uint32(0xFF000000) | (what << np.uint32(16))


@kernel_on_loan
def encode_instances(ids, tag, thing, out):  # type: ignore[no-untyped-def]
    """uint32[H, W] with the class in R, the number's low byte in G and its high byte in B."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            t = ids[y, x]
            what, number = np.uint32(_SKY), np.uint32(0)
            if t >= 0:
                what, number = np.uint32(tag[t]), np.uint32(thing[t])
            low, high = number & np.uint32(255), (number >> np.uint32(8)) & np.uint32(255)
            out[y, x] = np.uint32(0xFF000000) | (what << np.uint32(16)) | (low << np.uint32(8)) | high


def decode_depth(image: np.ndarray) -> np.ndarray:
    """float64[...] metres of uint8[..., 4] BGRA depth."""
    b, g, r = (image[..., k].astype(np.float64) for k in range(3))
    return np.asarray(DEPTH_RANGE * (r + 256.0 * g + 65536.0 * b) / _LAST)
