"""What a policy sees, by description: a policy server tells its clients with it what to send."""

from __future__ import annotations

from typing import Any

from agents.policy import Observer
from agents.token_view import CommandView, TokenView
from envs.world import WorldBatch
from simulator.errors import AgentError


def make_view(spec: dict[str, Any], batch: WorldBatch) -> Observer:
    """The observer of a policy's `view_spec`.

    Raises:
        AgentError: for a view that is not known, or of another version.
    """
    if spec.get("view") == "token":
        kind = CommandView if spec["commands"] else TokenView
        return kind(str(spec["observation"]), batch, bool(spec["flat"]))
    if spec.get("view") == "cameras":
        from agents.vla.view import CameraView, VlaView  # camera kernels, rarely needed

        return VlaView(batch, tuple(CameraView(**camera) for camera in spec["cameras"]))
    raise AgentError(f"the policy server asks for a view that is not known here: {spec}")
