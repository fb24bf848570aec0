"""Make a vision-language policy from a checkpoint: `python -m agents.vla --help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agents.extras import install_hint
from agents.vla.view import CameraView
from simulator.errors import RouteGymError


@dataclass(frozen=True)
class NewOptions:
    """Give a vision-language checkpoint action tokens and a rig; then `run_train.py sft --policy DIR`."""

    base: Annotated[str, tyro.conf.arg(metavar="DIR|NAME")]
    """Folder of the checkpoint, its name in the local Hugging Face cache, or tiny:FAMILY for random weights."""

    tokens: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Action tokens (`python -m agents.tokens build`)."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the policy."""

    lora_rank: int = 16
    """Rank of LoRA adapters; 0 trains all weights."""

    width: int = 224
    """Of a camera, pixels."""

    height: int = 224
    """Of a camera, pixels."""

    yaws: tuple[float, ...] = (0.0,)
    """One camera for each direction: degrees from straight ahead, right positive."""

    dtype: str = "bfloat16"
    """Of the weights."""

    device: str = "cpu"
    """Where it runs, such as cuda."""

    checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more work."""

    online: bool = False
    """Let transformers fetch what is not there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the policy; the exit code."""
    options = tyro.cli(NewOptions, prog="python -m agents.vla", args=arguments)
    try:
        make(options)
        return 0
    except RouteGymError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ImportError as error:
        if not (hint := install_hint(error)):
            raise
        print(f"error: vision-language policies need more packages ({error}){hint}", file=sys.stderr)
        return 2


def make(options: NewOptions) -> None:
    """Make and save the policy, and print its sizes.

    Raises:
        AgentError: when checkpoint or tokens cannot be loaded.
    """
    from agents.tokens.files import load_tokens
    from agents.vla.checkpoint import load_parts
    from agents.vla.policy import VlaConfig, VlaPolicy
    from agents.vla.tiny import make_tiny_checkpoint

    base = options.base
    if base.startswith("tiny:"):
        base = str(make_tiny_checkpoint(base.partition(":")[2], options.out / "base"))
    config = VlaConfig(
        cameras=tuple(CameraView(options.width, options.height, yaw=yaw) for yaw in options.yaws),
        lora_rank=options.lora_rank,
        dtype=options.dtype,
        device=options.device,
        checkpointing=options.checkpointing,
    )
    parts = load_parts(base, dtype=options.dtype, device=options.device, online=options.online)
    policy = VlaPolicy(parts, config, load_tokens(options.tokens))
    policy.save(options.out)
    total, trained = policy.size()
    print(f"{options.out}: {total} parameters, {trained} of them trained")


if __name__ == "__main__":
    sys.exit(main())
