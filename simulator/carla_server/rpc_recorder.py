"""RPC: recorder and replayer, which are not served: CARLA's log files are Unreal's, and towns here write none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.carla_server.encoding import RpcError
from simulator.carla_server.methods import Result, Support, method

if TYPE_CHECKING:
    from simulator.carla_server.server import CarlaServer

_NO_LOG = "CARLA's log files are not written or read; snapshots and sensors tell the same while it runs"
_NO_REPLAY = "nothing is replayed"


def _refuse(what: str) -> RpcError:
    return RpcError(f"{what}: this server does not write or read CARLA's recorder files")


@method(Result.VALUE, Support.REFUSES, _NO_LOG)
def start_recorder(server: CarlaServer, name: Any, additional_data: Any) -> str:
    raise _refuse("nothing is recorded")


@method(Result.VOID, Support.ACCEPTS, _NO_LOG)
def stop_recorder(server: CarlaServer) -> None:
    pass


@method(Result.VALUE, Support.REFUSES, _NO_LOG)
def show_recorder_file_info(server: CarlaServer, name: Any, show_all: Any) -> str:
    raise _refuse("there is no such recording")


@method(Result.VALUE, Support.REFUSES, _NO_LOG)
def show_recorder_collisions(server: CarlaServer, name: Any, type1: Any, type2: Any) -> str:
    raise _refuse("there is no such recording")


@method(Result.VALUE, Support.REFUSES, _NO_LOG)
def show_recorder_actors_blocked(server: CarlaServer, name: Any, min_time: Any, min_distance: Any) -> str:
    raise _refuse("there is no such recording")


@method(Result.VALUE, Support.REFUSES, _NO_LOG)
def replay_file(
    server: CarlaServer, name: Any, start: Any, duration: Any, follow: Any, sensors: Any, offset: Any
) -> str:
    raise _refuse("nothing is replayed")


@method(Result.VOID, Support.ACCEPTS, _NO_REPLAY)
def stop_replayer(server: CarlaServer, keep_actors: Any) -> None:
    pass


@method(Result.VOID, Support.ACCEPTS, _NO_REPLAY)
def set_replayer_time_factor(server: CarlaServer, factor: Any) -> None:
    pass


@method(Result.VOID, Support.ACCEPTS, _NO_REPLAY)
def set_replayer_ignore_hero(server: CarlaServer, ignore: Any) -> None:
    pass


@method(Result.VOID, Support.ACCEPTS, _NO_REPLAY)
def set_replayer_ignore_spectator(server: CarlaServer, ignore: Any) -> None:
    pass
