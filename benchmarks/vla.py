"""Vision-language policies on tiny random checkpoints: are log-probabilities recomputed exactly, and what does it cost?

`python -m benchmarks.vla` prints a row a family: differences of log-probabilities (update against sampler, batch
against single), and medians of CPU milliseconds for a decision of one token, of four, of eight worlds at once, for a
group of eight that shares its prompt, and for a forward and backward pass over eight decisions. One thread of torch.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agents.policy import Rows, repeat_rows, take_rows
from agents.tokens.grid import default_grid


def made_up_rows(count: int, cameras: int) -> Rows:
    """Noise in front of the cameras, and prompts of different lengths."""
    draws = np.random.default_rng(0)
    return {
        "images": draws.integers(0, 255, (count, cameras, 112, 112, 3), dtype=np.uint8),
        "command": np.array([1 + k % 6 for k in range(count)]),
        "speed": draws.uniform(0.0, 9.0, count) * (1.0 + 99.0 * (np.arange(count) % 2)),
        "acceleration": draws.normal(size=count),
        "points": draws.normal(size=(count, 2, 2)),
        "history": draws.normal(size=(count, 3, 2)),
    }


def median_ms(function: Callable[[], object], repeats: int = 7) -> float:
    """Median CPU time after one call to warm up; others on the machine count for little in it."""
    function()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return 1e3 * statistics.median(times)


def main() -> None:
    """Print the table."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch

    from agents.vla.checkpoint import load_parts
    from agents.vla.policy import VlaConfig, VlaPolicy
    from agents.vla.tiny import TINY_FAMILIES, make_tiny_checkpoint

    torch.set_num_threads(1)
    print("family      M params  prompt  |update-sampler|  |batch-single|   K=1   K=4  8 worlds  group 8  fwd+bwd 8")
    for family in TINY_FAMILIES:
        with TemporaryDirectory() as folder:
            path = str(make_tiny_checkpoint(family, Path(folder)))
            policy = VlaPolicy(load_parts(path), VlaConfig(), default_grid(4))
            short = VlaPolicy(load_parts(path), VlaConfig(), default_grid(1))
        rows = made_up_rows(4, cameras=2)
        uniforms = np.random.default_rng(1).random((4, 2, 4))
        said = policy.act(rows, uniforms, n=2)
        again = policy.logp(repeat_rows(rows, 2), said.tokens, said.mask).logp.detach().numpy()
        alone = [policy.act(take_rows(rows, np.array([k])), uniforms[k : k + 1], n=2).logp for k in range(4)]
        one, eight = made_up_rows(1, 1), made_up_rows(8, 1)
        many = policy.act(eight, np.random.default_rng(2).random((8, 1, 4)))

        def learn(policy: VlaPolicy = policy, eight: Rows = eight, many: object = many) -> None:
            policy.model.zero_grad(set_to_none=True)
            policy.logp(eight, many.tokens, many.mask).logp.sum().backward()  # type: ignore[attr-defined]

        print(
            f"{family:11} {policy.size()[0] / 1e6:8.2f} {int(said.prompt_tokens.max()):7} "
            f"{np.abs(again - said.logp).max():17.1e} {np.abs(np.concatenate(alone) - said.logp).max():15.1e} "
            f"{median_ms(lambda p=short, r=one: p.act(r)):5.0f} {median_ms(lambda p=policy, r=one: p.act(r)):5.0f} "
            f"{median_ms(lambda p=policy, r=eight: p.act(r)):9.0f} "
            f"{median_ms(lambda p=policy, r=one: p.act(r, n=8)):8.0f} {median_ms(learn):10.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
