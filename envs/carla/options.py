"""Which CARLA server to use, how to start it, and how long to wait for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from simulator.errors import SimulatorError

DEFAULT_PORTS = "10000-19999"


@dataclass(frozen=True)
class CarlaOptions:
    """Plain data: it travels to worker processes as JSON.

    Raises:
        SimulatorError: when the fields make no sense together.
    """

    address: str = ""  # HOST:PORT of running servers, separated by commas; each worker takes one for itself
    start: str = ""  # shell command that starts a server; {port} is replaced by its RPC port, {number} counts servers
    stop: str = ""  # shell command to be run when a started server has been ended, such as `docker kill carla-{port}`
    ports: str = DEFAULT_PORTS  # FIRST-LAST: range for servers that are started
    lights: str = "routegym"  # whose traffic lights: "routegym" or "server"
    memory_gb: float = 0.0  # resident memory of server or worker from which it is replaced between routes, 0: never
    start_s: float = 120.0  # s for a server to come up
    load_s: float = 120.0  # s for a town to be loaded
    tick_s: float = 30.0  # s for one call, such as a tick
    log_folder: str = ""  # where the output of started servers goes; this process's standard error without it

    def __post_init__(self) -> None:
        if bool(self.address) == bool(self.start):
            raise SimulatorError(
                "a CARLA backend needs either the address of a running server (HOST:PORT) or a command that starts one"
            )
        if self.start and "{port}" not in self.start:
            raise SimulatorError(
                f"the start command {self.start!r} has no {{port}}; the port of the server is put there, as in "
                "'./CarlaUE4.sh -RenderOffScreen -nosound -carla-rpc-port={port}'"
            )
        if self.lights not in ("routegym", "server"):
            raise SimulatorError(f"traffic lights are those of 'routegym' or of the 'server', got {self.lights!r}")
        for name in ("start_s", "load_s", "tick_s"):
            if not getattr(self, name) > 0.0:
                raise SimulatorError(f"a CARLA time-out must be above 0 s, got {name} = {getattr(self, name)}")
        if self.memory_gb < 0.0:
            raise SimulatorError(f"a memory limit is at least 0 GB, got {self.memory_gb}")
        self.addresses  # noqa: B018 - checks them
        self.port_range  # noqa: B018

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and RPC port of the running servers."""
        return tuple(_address(text.strip()) for text in self.address.split(",") if text.strip())

    @property
    def port_range(self) -> tuple[int, int]:
        """First and last port."""
        match = re.fullmatch(r"(\d+)-(\d+)", self.ports)
        first, last = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1024 <= first < last <= 65535:
            raise SimulatorError(f"a range of ports is FIRST-LAST within 1024-65535, got {self.ports!r}")
        return first, last

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CarlaOptions:
        """What `dataclasses.asdict` made of one."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in names})


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SimulatorError(f"the address of a CARLA server is HOST:PORT, got {text!r}")
    return host, int(port)
