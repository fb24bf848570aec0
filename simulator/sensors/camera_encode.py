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
_u8 = np.uint64  # an unsigned index needs no look at its sign
_SKY = int(Tag.SKY)
_LAST = 256.0**3 - 1.0
_SCALE = np.float32(_LAST / DEPTH_RANGE)


@kernel_on_loan
def encode(inverse_depth, ids, tag, thing, depth, classes, instances, row_low, row_high):  # type: ignore[no-untyped-def]
    """Write uint32[H, W] images of rows row_low..row_high from inverse metres float32[H, W] and triangles int32[H, W].

    Args:
        tag, thing: class and instance number of every triangle.
        depth, classes, instances: images; those with no rows are left out.
    """
    width = ids.shape[1]
    opaque = np.uint32(0xFF000000)
    for row in range(row_low, row_high):
        y = _u8(row)
        if depth.shape[0] > 0:
            for column in range(width):
                inverse = inverse_depth[y, _u8(column)]
                code = np.uint32(0xFFFFFF)
                if inverse > np.float32(1.0 / DEPTH_RANGE):
                    code = np.uint32(np.int32(_SCALE / inverse + np.float32(0.5)))
                low, middle = code & np.uint32(255), (code >> np.uint32(8)) & np.uint32(255)
                depth[y, _u8(column)] = (
                    opaque | (low << np.uint32(16)) | (middle << np.uint32(8)) | (code >> np.uint32(16))
                )
        if classes.shape[0] == 0 and instances.shape[0] == 0:
            continue
        begin = 0
        while begin < width:  # runs of pixels that show the same triangle
            t = ids[y, _u8(begin)]
            end = begin + 1
            while end < width and ids[y, _u8(end)] == t:
                end += 1
            what, number = np.uint32(_SKY), np.uint32(0)
            if t >= 0:
                what, number = np.uint32(tag[_u8(t)]), np.uint32(thing[_u8(t)])
            code = opaque | (what << np.uint32(16))
            if classes.shape[0] > 0:
                for column in range(begin, end):
                    classes[y, _u8(column)] = code
            if instances.shape[0] > 0:
                low, high = number & np.uint32(255), (number >> np.uint32(8)) & np.uint32(255)
                code |= (low << np.uint32(8)) | high
                for column in range(begin, end):
                    instances[y, _u8(column)] = code
            begin = end


def decode_depth(image: np.ndarray) -> np.ndarray:
    """float64[...] metres of uint8[..., 4] BGRA depth."""
    b, g, r = (image[..., k].astype(np.float64) for k in range(3))
    return np.asarray(DEPTH_RANGE * (r + 256.0 * g + 65536.0 * b) / _LAST)
