"""What a vehicle feels and knows of itself: IMU, GNSS, speedometer."""

from __future__ import annotations

import math

from simulator.kernel import kernel
from simulator.sensors.geo import to_geo
from simulator.sensors.noise import noise_key, noise_normal
from simulator.sensors.pose import sensor_pose

GRAVITY = 9.81  # m/s2, the value of CARLA's IMU


@kernel
def measure_imu(w, slot, place, sensor, noise_seed, noise, out, pose, scratch):  # type: ignore[no-untyped-def]
    """Accelerometer, gyroscope, compass.

    The accelerometer sits at the sensor: to the vehicle's own acceleration comes the pull towards the centre of the
    turn that grows with the distance from the vehicle's origin. Not known to the record, and left out: how the yaw rate
    changes, how the slope changes, and the shock of a contact.

    Args:
        noise: float64[9] standard deviations of ax, ay, az (m/s2), of gx, gy, gz, then biases of gx, gy, gz (rad/s).
        out: float64[7] ax, ay, az m/s2 with gravity, gx, gy, gz rad/s, in the sensor's axes; compass rad, 0 north,
            pi/2 east.
    """
    sensor_pose(w, slot, place, pose, scratch)
    vehicle = scratch[0]
    rate, ax, ay, az = 0.0, 0.0, 0.0, GRAVITY  # of a sensor that stands in the world, slot -1
    if slot >= 0:
        rate = w.yaw_rate[slot]
        arm_x = pose[0, 0] - w.x[slot]
        arm_y = pose[0, 1] - w.y[slot]
        ax = w.ax[slot] - rate * rate * arm_x
        ay = w.ay[slot] - rate * rate * arm_y
        climb = math.tan(w.pitch[slot])
        az = (w.ax[slot] * math.cos(w.yaw[slot]) + w.ay[slot] * math.sin(w.yaw[slot])) * climb + GRAVITY
    # the vehicle turns about the world's z; its own axes see that rate as (sin pitch, 0, cos pitch)
    turn_x = rate * vehicle[1, 2]
    turn_y = rate * vehicle[2, 2]
    turn_z = rate * vehicle[3, 2]
    key = noise_key(w, sensor, noise_seed)
    local = scratch[1]
    for k in range(3):
        out[k] = ax * pose[1 + k, 0] + ay * pose[1 + k, 1] + az * pose[1 + k, 2]
        out[k] += noise[k] * noise_normal(key, k)
        # CARLA rotates by the mounting here where it should rotate back; the same for level, straight sensors
        out[3 + k] = turn_x * local[1, k] + turn_y * local[2, k] + turn_z * local[3, k]
        out[3 + k] += noise[6 + k] + noise[3 + k] * noise_normal(key, 3 + k)
    compass = math.atan2(pose[1, 0], -pose[1, 1])
    out[6] = compass if compass >= 0.0 else compass + 2.0 * math.pi


@kernel
def measure_gnss(w, slot, place, sensor, noise_seed, noise, origin, out, pose, scratch):  # type: ignore[no-untyped-def]
    """Latitude, longitude, altitude.

    Args:
        noise: float64[6] biases of latitude, longitude (deg), altitude (m), then their standard deviations.
        origin: float64[2] latitude, longitude of the town's origin, deg.
        out: float64[3] deg, deg, m.
    """
    sensor_pose(w, slot, place, pose, scratch)
    lat, lon = to_geo(origin[0], origin[1], pose[0, 0], pose[0, 1])
    key = noise_key(w, sensor, noise_seed)
    out[0] = lat + noise[0] + noise[3] * noise_normal(key, 0)
    out[1] = lon + noise[1] + noise[4] * noise_normal(key, 1)
    out[2] = pose[0, 2] + noise[2] + noise[5] * noise_normal(key, 2)


@kernel
def forward_speed(w, slot):  # type: ignore[no-untyped-def]
    """Speed along the vehicle's nose, m/s, negative backwards: the leaderboard's speedometer.

    Its velocity, climbing included, on its forward axis; what it slides sideways does not count.
    """
    planar = w.vx[slot] * math.cos(w.yaw[slot]) + w.vy[slot] * math.sin(w.yaw[slot])
    return planar / math.cos(w.pitch[slot])
