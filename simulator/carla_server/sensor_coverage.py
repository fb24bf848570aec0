"""How far each sensor is CARLA's, for the documentation: `python -m simulator.carla_server.sensor_coverage`."""

from __future__ import annotations

from typing import NamedTuple

from simulator.carla_server.methods import Support
from simulator.sensors.catalogue import SENSOR_TYPES


class Coverage(NamedTuple):
    """One row of the table."""

    support: Support
    note: str


_IMAGE = "bit for bit what `simulator.sensors` draws, see [cameras](cameras.md)"

#: By sensor type. What all of them have in common: frame, time and transform of the header, `sensor_tick`, any parent.
SENSOR_COVERAGE: dict[str, Coverage] = {
    "sensor.camera.rgb": Coverage(
        Support.APPROXIMATES, f"{_IMAGE}; lens and exposure attributes are taken and have no effect"
    ),
    "sensor.camera.depth": Coverage(Support.WORKS, _IMAGE),
    "sensor.camera.semantic_segmentation": Coverage(Support.WORKS, _IMAGE),
    "sensor.camera.instance_segmentation": Coverage(
        Support.WORKS, f"{_IMAGE}; the number of an actor is its id, where CARLA has one of Unreal's"
    ),
    "sensor.camera.normals": Coverage(
        Support.APPROXIMATES, "R, G, B = 127.5 (1 + normal), in the world's axes; CARLA does not document its own"
    ),
    "sensor.camera.optical_flow": Coverage(
        Support.APPROXIMATES,
        "right and down, 2 for the whole picture, since the sensor's last measurement; exact for rigid bodies, legs of "
        "walkers and wheels count as parts of them",
    ),
    "sensor.camera.dvs": Coverage(
        Support.APPROXIMATES, "CARLA's method (ESIM) between the colour pictures of two measurements"
    ),
    "sensor.lidar.ray_cast": Coverage(Support.WORKS, "as `simulator.sensors`, see [sensors](sensors.md)"),
    "sensor.lidar.ray_cast_semantic": Coverage(Support.WORKS, "as `simulator.sensors`"),
    "sensor.other.radar": Coverage(Support.WORKS, "as `simulator.sensors`"),
    "sensor.other.imu": Coverage(Support.WORKS, "as `simulator.sensors`; at rest where it hangs on nothing that moves"),
    "sensor.other.gnss": Coverage(Support.WORKS, "as `simulator.sensors`"),
    "sensor.other.collision": Coverage(
        Support.WORKS, "every contact of its parent with another actor, a frame for each; the town itself has no walls"
    ),
    "sensor.other.lane_invasion": Coverage(Support.WORKS, "the client works it out itself"),
    "sensor.other.obstacle": Coverage(Support.APPROXIMATES, "actors' boxes; the town itself is not felt"),
}


def coverage_table() -> str:
    """Markdown: one row a sensor."""
    rows = [f"| `{kind}` | {row.support.value} | {row.note} |" for kind, row in SENSOR_COVERAGE.items()]
    missing = {k.id for k in SENSOR_TYPES.values() if not k.pseudo} ^ set(SENSOR_COVERAGE)
    assert not missing, missing
    return "\n".join(["| sensor | | |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(coverage_table())
