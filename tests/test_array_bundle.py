"""Bundles: named tuples of arrays that kernels read through one pointer."""

from __future__ import annotations

import copy
import gc
from typing import NamedTuple

import numpy as np
import pytest

from simulator.array_bundle import ArrayBundle, bundle
from simulator.kernel import kernel


class Fields(NamedTuple):
    count: np.ndarray  # int32
    flag: np.ndarray  # int8
    place: np.ndarray  # float64
    table: np.ndarray  # float64[n, 3]
    single: np.ndarray  # float32


def fields(n: int = 5) -> Fields:
    return Fields(
        count=np.arange(n, dtype=np.int32),
        flag=np.array([k % 2 for k in range(n)], np.int8),
        place=np.linspace(0.0, 1.0, n),
        table=np.arange(3.0 * n).reshape(n, 3),
        single=np.full(n, 0.5, np.float32),
    )


@kernel
def add_up(arrays):  # type: ignore[no-untyped-def]
    """Everything in every array, by index."""
    total = 0.0
    for k in range(arrays.count.shape[0]):
        total += arrays.count[k] + 10 * arrays.flag[k] + 100.0 * arrays.place[k] + arrays.single[k]
        for m in range(arrays.table.shape[1]):
            total += 1000.0 * arrays.table[k, m]
    return total


@kernel
def third_column(arrays, k):  # type: ignore[no-untyped-def]
    return arrays.table[k][2], arrays.table.shape


@kernel
def twice(arrays):  # type: ignore[no-untyped-def]
    return add_up(arrays) + add_up(arrays)


@kernel
def write(arrays, k, value):  # type: ignore[no-untyped-def]
    arrays.place[k] = value
    arrays.count[k] = 77


def expected(a: Fields) -> float:
    return float(a.count.sum() + 10 * a.flag.sum() + 100 * a.place.sum() + 1000 * a.table.sum() + a.single.sum())


def test_a_kernel_reads_every_array() -> None:
    a = fields()
    assert add_up(bundle(a)) == pytest.approx(expected(a))


def test_a_kernel_hands_it_on_to_another_one() -> None:
    a = fields()
    assert twice(bundle(a)) == pytest.approx(2.0 * expected(a))


def test_rows_and_shapes_of_tables_are_right() -> None:
    assert third_column(bundle(fields(7)), 4) == (14.0, (7, 3))


def test_python_reads_the_arrays_themselves() -> None:
    a = fields()
    b = bundle(a)
    assert b.count is a.count
    assert b.table is a.table
    with pytest.raises(AttributeError):
        _ = b.nothing  # type: ignore[attr-defined]


def test_another_bundle_of_the_same_kind_needs_no_other_version_of_the_kernel() -> None:
    add_up(bundle(fields(5)))
    versions = len(add_up.signatures)
    add_up(bundle(fields(50)))
    add_up(bundle(fields(0)._replace(table=np.zeros((0, 3)))))
    assert len(add_up.signatures) == versions


def test_every_integer_type_makes_the_same_kind() -> None:
    a = fields()
    add_up(bundle(a))
    versions = len(add_up.signatures)
    for kind in (np.int8, np.int64, np.uint16, np.bool_):
        other = a._replace(flag=a.flag.astype(kind))
        assert add_up(bundle(other)) == pytest.approx(expected(a))
    assert len(add_up.signatures) == versions


def test_empty_arrays_are_read_as_empty() -> None:
    a = fields(0)._replace(table=np.zeros((0, 3)))
    assert add_up(bundle(a)) == 0.0


def test_strided_arrays_are_read_right() -> None:
    a = fields(4)
    wide = np.arange(24.0).reshape(3, 8).T  # columns first
    b = a._replace(place=np.arange(8.0)[::2], table=wide[:4])
    assert add_up(bundle(b)) == pytest.approx(expected(b))


def test_arrays_live_as_long_as_the_bundle() -> None:
    b = bundle(fields(2000))
    answer = expected(fields(2000))
    for _ in range(20):
        gc.collect()
        np.full(2000, 7, np.int64)  # would land where a freed array was
    assert add_up(b) == pytest.approx(answer)


def test_doubles_are_shared_and_integers_are_copies() -> None:
    a = fields()
    write(bundle(a), 2, 9.5)
    assert a.place[2] == 9.5
    assert a.count[2] == 2


def test_a_bundle_can_be_copied() -> None:
    a = fields()
    twin = copy.deepcopy(ArrayBundle(a))
    assert add_up(twin) == pytest.approx(expected(a))
    assert twin.place is not a.place


def test_more_than_two_dimensions_are_refused() -> None:
    with pytest.raises(ValueError):
        bundle(fields()._replace(table=np.zeros((2, 3, 4))))
