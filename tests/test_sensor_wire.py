"""Stream bodies as a CARLA client reads them; the bytes are those of docs/sensors.md's layouts."""

from __future__ import annotations

import struct

import msgpack
import numpy as np
import pytest

from simulator.sensors.measurements import (
    SEMANTIC_POINT,
    Gnss,
    Image,
    Imu,
    Lidar,
    Measurement,
    Placement,
    Radar,
    SemanticLidar,
)


def test_the_header_is_48_bytes():
    m = Measurement(97, 4.85, Placement(61.4, 2.0, 2.5, 1.0, -90.0, 0.5), Gnss(49.0, 8.0, 2.5))
    header = m.wire_header(4)
    assert struct.unpack("<QQd6f", header) == pytest.approx((4, 97, 4.85, 61.4, 2.0, 2.5, 1.0, -90.0, 0.5))


def test_an_imu_frame_is_the_one_that_a_client_accepted():
    body = Imu(np.array([0.0, 0.0, 9.81]), np.array([0.0, 0.0, -0.0]), np.pi / 2).wire_body()
    assert body.hex() == "9393ca00000000ca00000000ca411cf5c393ca00000000ca00000000ca80000000ca3fc90fdb"


def test_a_gnss_frame_is_three_doubles():
    body = Gnss(49.0, 8.0, 2.5).wire_body()
    assert body[0:2].hex() == "93cb"
    assert msgpack.unpackb(body) == [49.0, 8.0, 2.5]


def test_radar_detections_are_velocity_azimuth_altitude_depth():
    points = np.array([[1.0, 0.1, 0.0, 10.0], [-2.0, -0.1, 0.05, 20.0]], np.float32)
    assert Radar(points).wire_body().hex() == ("0000803fcdcccc3d0000000000002041" + "000000c0cdccccbdcdcc4c3d0000a041")


def test_a_lidar_frame_counts_the_points_of_every_channel():
    points = np.arange(12, dtype=np.float32).reshape(3, 4)
    body = Lidar(1.5, np.array([2, 1], np.uint32), points).wire_body()
    assert struct.unpack("<fIII12f", body) == (1.5, 2, 2, 1, *range(12))


def test_a_semantic_point_is_24_bytes():
    points = np.array([(1.0, 2.0, 3.0, 0.5, 107, 14)], SEMANTIC_POINT)
    body = SemanticLidar(0.0, np.array([1], np.uint32), points).wire_body()
    assert struct.unpack("<fII4fII", body) == (0.0, 1, 1, 1.0, 2.0, 3.0, 0.5, 107, 14)


def test_an_image_frame_begins_with_its_size():
    body = Image(np.zeros((600, 800, 4), np.uint8), 90.0).wire_body()
    assert struct.unpack("<IIf", body[:12]) == (800, 600, 90.0)
    assert len(body) == 12 + 1_920_000
