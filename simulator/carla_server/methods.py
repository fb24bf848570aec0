"""The table of RPC methods: name, arguments, kind of result, and how far each is served.

A method is a function whose first argument is the server and whose others are those of the client:

```python
@method(Result.VALUE)
def get_episode_settings(server): ...
```

Modules named `rpc_*.py` fill the table; `load_methods` imports them all.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Result(Enum):
    """How a result is wrapped on the wire."""

    VOID = "void"  # [[False]] or [[True, [text]]]
    VALUE = "value"  # [[1, value]] or [[0, [text]]]
    BARE = "bare"  # the value itself


class Support(Enum):
    """How far a method is served."""

    WORKS = "works"
    APPROXIMATES = "approximates"  # does what it is for, by other means or within limits that its note names
    ACCEPTS = "accepts"  # taken and answered, without effect here: nothing that the town has depends on it
    REFUSES = "refuses"  # answers an error that says why


@dataclass(frozen=True)
class Method:
    """One row of the table."""

    name: str
    run: Callable[..., Any]
    arity: int  # arguments of the client, metadata left out
    required: int  # of them those that clients of every version send
    result: Result
    support: Support
    note: str
    group: str  # module that has it, without `rpc_`

    def answer(self, value: Any) -> Any:
        """The result as it goes on the wire."""
        if self.result is Result.VOID:
            return [[False]]
        return value if self.result is Result.BARE else [[1, value]]

    def refuse(self, text: str) -> Any:
        """The wrapped error."""
        return [[self.result is Result.VOID, [text]]] if self.result is Result.VOID else [[0, [text]]]


METHODS: dict[str, Method] = {}


def method(result: Result, support: Support = Support.WORKS, note: str = "") -> Callable[..., Any]:
    """Enter a function into the table under its own name."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        parameters = inspect.signature(function).parameters.values()
        arity = len(parameters) - 1
        required = sum(parameter.default is parameter.empty for parameter in parameters) - 1
        group = function.__module__.rpartition(".")[2].removeprefix("rpc_")
        if name in METHODS and METHODS[name].run is not function:
            raise ValueError(f"the RPC method {name} is defined twice: in {METHODS[name].group} and {group}")
        METHODS[name] = Method(name, function, arity, required, result, support, note, group)
        return function

    return enter


def load_methods() -> dict[str, Method]:
    """Import every `rpc_*.py` and return the table."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("rpc_") and module.name not in ("rpc_server",):
            importlib.import_module(f"{__package__}.{module.name}")
    return METHODS
