"""The colour picture of a view: light of the weather, shadows, pixels, effects, in this order."""

from __future__ import annotations

import numpy as np

from simulator.sensors.scene import Scene, View
from simulator.sensors.scene_weather import Field
from simulator.sensors.shade_effects import add_halos, add_rain
from simulator.sensors.shade_light import Light, light_of
from simulator.sensors.shade_masks import MASK_CELL, lamp_mask, sun_mask
from simulator.sensors.shade_pixels import depth_table, light_faces, noise_tables, shade
from simulator.sensors.shade_shadows import cast_beams, cast_shadows
from simulator.state import Role

_FINE_WIDTH = 400  # pixels of width up to which slow changes are worked out for squares of 2 pixels, not of 4


class Shader:
    """Paints views of one scene. It keeps what depends on the weather alone until the weather changes."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._weather: bytes = b""
        self._light: Light | None = None
        self._lit = np.zeros((len(scene.tag), 2), np.float32)
        self._sun: tuple[float, ...] = ()
        self._parameters = np.zeros(32, np.float32)
        self._buffers: dict[tuple[int, ...], tuple[np.ndarray, ...]] = {}
        self._by_depth: dict[float, np.ndarray] = {}  # of this weather, by focal length
        self._eye = np.zeros(16, np.float32)
        self._bounds = np.zeros(4, np.int64)

    def paint(self, world: np.ndarray, view: View) -> np.ndarray:
        """uint8[H, W, 4] B, G, R, A of a view of the world that the scene holds."""
        scene = self.scene
        light = self._lighten(world["weather"])
        light_faces(scene.normal, scene.material, scene.num_static, scene.num_triangles, light.sun, self._lit)
        rows, columns = view.triangle.shape
        out = np.empty((rows, columns, 4), np.uint8)
        occlusion, sun_block, shadowed, beams, block, block_id, line = self._scratch(rows, columns)
        cast_shadows(
            world, scene.actor_slot, scene.num_actors, scene.actor_sphere, scene.num_static, scene.normal,
            view.triangle, view.inverse_depth, view.axes, view.position, view.focal, light.sun, occlusion, sun_block,
            shadowed, self._bounds,
        )  # fmt: skip
        if light.dark:
            cast_beams(
                world, int(Role.BACKGROUND), scene.actor_slot, scene.num_actors, scene.actor_sphere,
                scene.actor_triangle, view.triangle, view.inverse_depth, view.axes, view.position, view.focal, beams,
                self._bounds,
            )  # fmt: skip
        eye = self._eye
        eye[0:3], eye[3:6], eye[6:9] = view.axes[:, 0], view.axes[:, 1], -view.axes[:, 2]
        eye[9:12], eye[12], eye[13:15] = view.position, view.focal, view.centre
        noise = noise_tables()
        if view.focal not in self._by_depth:
            self._by_depth[view.focal] = depth_table(view.focal, light.fog)
        by_depth = self._by_depth[view.focal]
        town = scene.town
        sunlight, lamplight = sun_mask(town, light), lamp_mask(town)
        shift = 2 if columns > _FINE_WIDTH else 1

        def band(number: int) -> None:
            low, high = (
                rows * k // scene.threads // 4 * 4 if k < scene.threads else rows for k in (number, number + 1)
            )
            shade(
                view.triangle, view.inverse_depth, eye, scene.paint, scene.glow, self._lit, scene.normal,
                scene.material, scene.aux, town.mesh.pattern, town.pictures, light.sky, self._parameters,
                noise.grain, noise.cloud, by_depth, sunlight, lamplight, town.ground_origin, occlusion, sun_block,
                shadowed, beams, light.dark, shift, block[number], block_id[number],
                line[number],
                out.view(np.uint32)[:, :, 0], low, high,
            )  # fmt: skip

        scene.in_bands(band)
        if light.dim > 0.3:
            self._halos(out, view, light)
        if light.rain > 0.0:
            wind = float(world["weather"][Field.WIND]) / 100.0
            bright = 90.0 + 130.0 * (1.0 - light.dim)
            add_rain(out, int(world["tick"]), light.rain, bright, 0.05 + 0.3 * wind)
        return out

    def _halos(self, out: np.ndarray, view: View, light: Light) -> None:
        scene = self.scene
        strength = 1.0 * (light.dim - 0.25)
        actors = np.arange(scene.num_static, scene.num_triangles, dtype=np.int32)
        for chosen in (actors, scene.town.lamp_triangle, scene.town.street_triangle):
            add_halos(
                out, view.triangle, scene.triangle, scene.vertex, scene.paint, scene.glow, scene.normal, chosen,
                view.axes, view.position, view.focal, strength,
            )  # fmt: skip

    def _lighten(self, weather: np.ndarray) -> Light:
        key = weather.tobytes()
        if self._light is not None and key == self._weather:
            return self._light
        light = light_of(weather)
        self._weather, self._light, self._by_depth = key, light, {}
        sun = tuple(light.sun)
        scene = self.scene
        if sun != self._sun:
            light_faces(scene.normal, scene.material, 0, scene.num_static, light.sun, self._lit)
            self._sun = sun
        p = self._parameters
        p[0:3], p[3:6], p[6:9], p[9:12] = light.sun, light.sun_colour, light.ambient, light.ground
        p[12:15], p[15:18] = light.fog_colour, light.cloud_colour
        p[18:25] = (
            light.clouds, light.wet, light.shadow if light.sun[2] > -0.03 else 0.0, light.puddles, light.dim,
            float(light.dark), 1.0 / MASK_CELL,
        )  # fmt: skip
        scene.light_street(light.dark)
        return light

    def _scratch(self, height: int, width: int) -> tuple[np.ndarray, ...]:
        if (height, width) not in self._buffers:
            self._buffers[height, width] = (
                np.full((height, width), 255, np.uint8),
                np.full((height, width), 255, np.uint8),
                np.zeros((height, 2), np.int32),
                np.zeros(((height + 1) // 2, (width + 1) // 2), np.uint8),
                np.zeros((self.scene.threads, (width + 1) // 2, 8), np.float32),
                np.zeros((self.scene.threads, (width + 1) // 2), np.int32),
                np.zeros((self.scene.threads, 9, width), np.float32),
            )
        return self._buffers[height, width]
