"""Many arrays behind one pointer, for kernels.

A kernel that takes a named tuple of sixty arrays passes four hundred words at every call that is not inlined, and a
call from Python unpacks sixty objects. A bundle is one pointer to a table of (address, shape); `bundle.field` inside
a kernel reads one array from it. It costs nothing to pass, calls from Python take a microsecond, and kernels compile
several times faster. The arrays are borrowed: they live as long as the bundle, and kernels count no references to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.datamodel import default_manager, models
from numba.core.typing.templates import AttributeTemplate
from numba.extending import NativeValue, infer_getattr, lower_getattr_generic, typeof_impl, unbox
from numba.np import arrayobj
from numba.np.numpy_support import from_dtype

_WORDS = 3  # address, shape[0], shape[1] of one array


class BundleType(types.Type):
    """Numba type of a bundle: which fields it has, in order."""

    def __init__(self, name: str, fields: tuple[tuple[str, types.Array], ...]) -> None:
        self.fields = fields
        self.index = {field: (k, array) for k, (field, array) in enumerate(fields)}
        signature = ",".join(f"{field}:{array.dtype}:{array.ndim}" for field, array in fields)
        super().__init__(name=f"Bundle({name};{signature})")


@lru_cache(maxsize=64)
def _bundle_type(name: str, fields: tuple[tuple[str, str, int], ...]) -> BundleType:
    return BundleType(
        name, tuple((field, types.Array(from_dtype(np.dtype(code)), ndim, "C")) for field, code, ndim in fields)
    )


class ArrayBundle:
    """The arrays of a named tuple, by reference.

    Attributes read as the arrays themselves (`bundle.lane_length`), in Python as in kernels.
    """

    def __init__(self, arrays: Any) -> None:
        """
        Args:
            arrays: a named tuple of C-contiguous arrays of one or two dimensions.
        """
        self._arrays = arrays
        names: Sequence[str] = arrays._fields
        values = [_for_kernels(a) for a in arrays]
        self._kept = values
        self._table = np.zeros((len(values), _WORDS), np.int64)
        for row, value in zip(self._table, values, strict=True):
            row[0] = value.ctypes.data
            row[1 : 1 + value.ndim] = value.shape
        self._address = int(self._table.ctypes.data)
        fields = tuple((n, v.dtype.str, v.ndim) for n, v in zip(names, values, strict=True))
        self._numba_type_ = _bundle_type(type(arrays).__name__, fields)

    def __getattr__(self, name: str) -> np.ndarray:
        if name.startswith("_"):
            raise AttributeError(name)
        value: np.ndarray = getattr(self._arrays, name)
        return value

    def __reduce__(self) -> tuple[type[ArrayBundle], tuple[Any]]:
        return (ArrayBundle, (self._arrays,))


def _for_kernels(array: np.ndarray) -> np.ndarray:
    """C-contiguous, integers as int64: with one integer type every kernel is compiled once."""
    dtype = np.int64 if array.dtype.kind in "iub" else array.dtype
    return np.ascontiguousarray(array, dtype=dtype)


T = TypeVar("T")


def bundle(arrays: T) -> T:
    """`ArrayBundle(arrays)`, typed as what it reads like."""
    return cast(T, ArrayBundle(arrays))


@typeof_impl.register(ArrayBundle)
def _typeof_bundle(value: ArrayBundle, context: Any) -> BundleType:
    return value._numba_type_


default_manager.register(BundleType, models.OpaqueModel)


@unbox(BundleType)
def _unbox_bundle(typ: BundleType, obj: Any, c: Any) -> NativeValue:
    address = c.pyapi.object_getattr_string(obj, "_address")
    word = c.pyapi.long_as_longlong(address)
    c.pyapi.decref(address)
    return NativeValue(c.builder.inttoptr(word, ir.IntType(8).as_pointer()))


@infer_getattr
class _BundleAttributes(AttributeTemplate):
    key = BundleType

    def generic_resolve(self, typ: BundleType, attr: str) -> types.Array | None:  # type: ignore[override]
        found = typ.index.get(attr)
        return found[1] if found else None


@lower_getattr_generic(BundleType)
def _lower_bundle_attribute(context: Any, builder: Any, typ: BundleType, value: Any, attr: str) -> Any:
    k, array_type = typ.index[attr]
    word = ir.IntType(64)
    table = builder.bitcast(value, word.as_pointer())

    def entry(offset: int) -> Any:
        return builder.load(builder.gep(table, [word(k * _WORDS + offset)]))

    itemsize = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    shape = [entry(1 + d) for d in range(array_type.ndim)]
    strides = [word(itemsize)]
    for extent in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], extent))
    array = arrayobj.make_array(array_type)(context, builder)
    data = builder.inttoptr(entry(0), array.data.type)
    arrayobj.populate_array(array, data=data, shape=shape, strides=strides, itemsize=word(itemsize), meminfo=None)
    return array._getvalue()
