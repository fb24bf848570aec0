"""Calling a kernel straight: its machine code for given argument types, without looking the types up at every call.

Numba's dispatcher looks at every argument of every call, which takes five microseconds where arrays of records are
among them, half as long as a tick of a world. Whoever calls a kernel with the same arrays over and over asks once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def entry(kernel: Any, *arguments: Any) -> Callable[..., Any]:
    """The compiled form of `kernel` for arguments of the types of `arguments`; it is compiled or loaded now.

    The caller answers for passing the same types at every call: dtype, dimensions, contiguous arrays.
    """
    types = tuple(numba.typeof(argument) for argument in arguments)
    kernel.compile(types)
    function: Callable[..., Any] = kernel.overloads[types].entry_point
    return function
