"""The skeleton of walkers: CARLA's names, a person's proportions, and the pose that cameras draw.

Axes of the component are those of the actor: x ahead, y right, z up, from between the feet. Legs and arms swing as the
drawn ones do; the rest stands straight.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from simulator.carla_server.encoding import Transform, write_transform
from simulator.sensors.camera_geometry import rotation
from simulator.sensors.pose import rotation_of
from simulator.sensors.scene_actors import ARM_SWING, leg_swing


class Bone(NamedTuple):
    """One bone."""

    name: str
    parent: str
    forward: float  # shares of the body's height, from the parent bone
    right: float
    up: float
    swing: float = 0.0  # of the left leg's swing


def _side(letter: str, sign: float) -> tuple[Bone, ...]:
    leg, arm = -sign, sign * ARM_SWING  # arms swing against legs; the left leg's swing counts
    return (
        Bone(f"crl_shoulder__{letter}", "crl_spine01__C", 0.0, 0.03 * sign, 0.13),
        Bone(f"crl_arm__{letter}", f"crl_shoulder__{letter}", 0.0, 0.096 * sign, 0.0, arm),
        Bone(f"crl_foreArm__{letter}", f"crl_arm__{letter}", 0.0, 0.0, -0.16),
        Bone(f"crl_hand__{letter}", f"crl_foreArm__{letter}", 0.0, 0.0, -0.14),
        Bone(f"crl_thigh__{letter}", "crl_hips__C", 0.0, 0.05 * sign, -0.03, leg),
        Bone(f"crl_leg__{letter}", f"crl_thigh__{letter}", 0.0, 0.0, -0.24),
        Bone(f"crl_foot__{letter}", f"crl_leg__{letter}", 0.0, 0.0, -0.22),
        Bone(f"crl_toe__{letter}", f"crl_foot__{letter}", 0.06, 0.0, -0.03),
        Bone(f"crl_toeEnd__{letter}", f"crl_toe__{letter}", 0.03, 0.0, 0.0),
        Bone(f"crl_eye__{letter}", "crl_Head__C", 0.05, 0.018 * sign, 0.06),
    )


#: Parents come before their children.
SKELETON = (
    Bone("crl_root", "", 0.0, 0.0, 0.0),
    Bone("crl_hips__C", "crl_root", 0.0, 0.0, 0.53),
    Bone("crl_spine__C", "crl_hips__C", 0.0, 0.0, 0.07),
    Bone("crl_spine01__C", "crl_spine__C", 0.0, 0.0, 0.07),
    Bone("crl_neck__C", "crl_spine01__C", 0.0, 0.0, 0.16),
    Bone("crl_Head__C", "crl_neck__C", 0.0, 0.0, 0.05),
    *_side("L", -1.0),
    *_side("R", 1.0),
)
_INDEX = {bone.name: k for k, bone in enumerate(SKELETON)}


class Bones:
    """The pose of one walker: its animation, a client's pose, and how much of each."""

    def __init__(self) -> None:
        self.blend = 0.0  # share of the client's pose
        self._own: dict[str, Transform] = {}

    def set(self, name: str, pose: Transform) -> None:
        """Give a bone a pose relative to its parent; bones that the skeleton lacks are left out."""
        if name in _INDEX:
            self._own[name] = pose

    def take_animation(self, w: np.void, slot: int) -> None:
        """Make the present animation the client's pose."""
        self._own = {bone.name: pose for bone, pose in zip(SKELETON, animation(w, slot), strict=True)}

    def wire(self, w: np.void, slot: int, body: Transform) -> list[list[Any]]:
        """Rows of name and transforms in the world, in the component and relative to the parent.

        Args:
            body: pose of the actor, whose origin is at half its height.
        """
        x, y, z, pitch, yaw, roll = body
        turn = rotation(roll, pitch, yaw)
        feet = np.array([x, y, z]) - turn @ np.array([0.0, 0.0, float(w["half_height"][slot])])
        axes: list[np.ndarray] = []
        places: list[np.ndarray] = []
        rows = []
        for bone, animated in zip(SKELETON, animation(w, slot), strict=True):
            relative = self._blended(animated, self._own.get(bone.name))
            own = rotation(relative[5], relative[3], relative[4])
            at = np.array(relative[:3])
            if bone.parent:
                k = _INDEX[bone.parent]
                own, at = axes[k] @ own, places[k] + axes[k] @ at
            axes.append(own)
            places.append(at)
            world = _transform(turn @ own, feet + turn @ at)
            poses = (world, _transform(own, at), relative)
            rows.append([bone.name, *(write_transform(pose) for pose in poses)])
        return rows

    def _blended(self, animated: Transform, own: Transform | None) -> Transform:
        if own is None or self.blend == 0.0:
            return animated
        x, y, z, pitch, yaw, roll = (a + self.blend * (b - a) for a, b in zip(animated, own, strict=True))
        return x, y, z, pitch, yaw, roll


def animation(w: np.void, slot: int) -> list[Transform]:
    """Poses of all bones relative to their parents, as the walk of this tick has them."""
    height = 2.0 * float(w["half_height"][slot])
    swing = math.degrees(leg_swing(w, slot))
    return [(height * b.forward, height * b.right, height * b.up, b.swing * swing, 0.0, 0.0) for b in SKELETON]


def _transform(axes: np.ndarray, place: np.ndarray) -> Transform:
    """CARLA's transform of axes (columns) and a place."""
    pose = np.zeros((4, 3))
    pose[1:] = axes.T
    roll, pitch, yaw = (math.degrees(a) for a in rotation_of(pose))
    x, y, z = (float(v) for v in place)
    return x, y, z, pitch, yaw, roll
