"""What a real vision-language checkpoint needs on one GPU: memory and time, from pieces that are measured on a CPU.

`python -m benchmarks.vla_budget [--gpu A100-80GB] [--decisions 8] [--json]`. No weights are fetched. Every row says how
it was found: **counted** from the architecture (built on torch's meta device), **measured** by running a piece of it
here, or **estimated** from the other two and a data sheet.

The architecture is that of Qwen2.5-VL-3B-Instruct, as its published config.json has it. What a layer keeps for the
backward pass is measured on decoder layers of its true width, one against two of them, in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

LAYERS, WIDTH, VOCABULARY = 36, 2048, 151936
SPELLED = 151665  # tokens of its tokenizer; the matrices have spare rows beyond
WORD = re.compile(r" ?[A-Za-z]+|\d| ?[^\sA-Za-z\d]+|\s+")  # how its tokenizer cuts: words, single digits, punctuation
COMPUTE_SHARE, MEMORY_SHARE = 0.4, 0.6  # of the data sheet's peak, that such passes reach
GIB = 2.0**30


@dataclass(frozen=True)
class Gpu:
    """Dense bfloat16 and memory figures of a vendor's data sheet."""

    memory_gb: float
    tflops: float
    gb_per_s: float


GPUS = {
    "RTX4090-24GB": Gpu(24, 165, 1008),
    "A100-80GB": Gpu(80, 312, 2039),
    "H100-80GB": Gpu(80, 989, 3350),
}


def architecture(layers: int = LAYERS, vocabulary: int = VOCABULARY, vision_layers: int = 32) -> Any:
    """The configuration, or one with fewer layers and words."""
    from transformers import Qwen2_5_VLConfig

    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    text = {
        "hidden_size": WIDTH, "intermediate_size": 11008, "num_hidden_layers": layers, "num_attention_heads": 16,
        "num_key_value_heads": 2, "vocab_size": vocabulary, "rope_parameters": rope, "tie_word_embeddings": True,
        "max_position_embeddings": 128000, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0,
    }  # fmt: skip
    vision = {
        "depth": vision_layers, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14,
        "out_hidden_size": WIDTH, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
        "spatial_merge_size": 2, "temporal_patch_size": 2,
    }  # fmt: skip
    return Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True)


def counted(rank: int, actions: int) -> dict[str, int]:
    """Parameters of the parts, of the adapters, and of the rows of action tokens."""
    import torch
    from transformers import AutoModelForImageTextToText

    from agents.vla.adapters import add_lora, vision_parameters

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(architecture(), dtype=torch.bfloat16)
        rows = max(SPELLED + actions, VOCABULARY)
        total = sum(p.numel() for p in model.parameters()) + (rows - VOCABULARY) * WIDTH
        tower = vision_parameters(model)
        vision = sum(p.numel() for name, p in model.named_parameters() if name in tower)
        model.requires_grad_(False)
        add_lora(model, rank, 16.0)
    lora = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return {"total": total, "vision": vision, "embedding": rows * WIDTH, "lora": lora, "rows": actions * WIDTH}


def prompt_of(width: int, height: int, cameras: int) -> tuple[int, int]:
    """Tokens of the words (by their tokenizer's cuts) and of each picture (by its image processor)."""
    from PIL import Image
    from transformers import Qwen2VLImageProcessorPil

    from agents.vla.prompt import prompt_text

    rows = {
        "command": np.array([4]), "speed": np.array([8.3]), "acceleration": np.array([-0.4]),
        "points": np.array([[[10.0, 0.1], [20.0, -0.3]]]),
        "history": np.array([[[-12.4, 0.1], [-8.3, 0.0], [-4.1, 0.0]]]),
    }  # fmt: skip
    template = 25 + 2 * cameras  # the system turn, marks of turns and pictures
    words = template + len(WORD.findall(prompt_text(rows, 0, "tokens", False)))
    processor = Qwen2VLImageProcessorPil(patch_size=14, merge_size=2, temporal_patch_size=2)
    picture = Image.fromarray(np.zeros((height, width, 3), np.uint8))
    grid = processor(images=[picture], return_tensors="pt")["image_grid_thw"][0]
    return words, int(np.prod(np.asarray(grid))) // 4


def kept_for_backward(tokens: int, rank: int) -> tuple[int, int]:
    """Bytes a decoder layer keeps for a sequence, and bytes that the rest of the model does, on true layers."""
    import torch
    from transformers import AutoModelForImageTextToText

    from agents.vla.adapters import add_lora

    found = []
    for layers in (1, 2):
        torch.manual_seed(0)
        config = architecture(layers, 1024, 1)
        model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
        model.requires_grad_(False)
        add_lora(model, rank, 16.0)
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        seen: dict[int, int] = {}

        def note(tensor: Any, own: set[int] = own, seen: dict[int, int] = seen) -> Any:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        ids = torch.ones((1, tokens), dtype=torch.long)
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            out = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, logits_to_keep=5)
        found.append(sum(seen.values()))
        del out
    return found[1] - found[0], max(2 * found[0] - found[1], 0)


def seconds_a_picture(width: int, height: int, repeats: int = 5) -> float:
    """CPU seconds that the town's camera takes for one picture."""
    from agents.vla.view import CameraView, VlaView
    from envs.vector_env import load_routes
    from envs.world import EpisodeStart, WorldBatch

    batch = WorldBatch(load_routes("smoke"), 1)
    batch.reset(0, EpisodeStart(0, 0))
    view = VlaView(batch, (CameraView(width, height),))
    view.reset(0)
    view.observe(np.array([0]))
    times = []
    for _ in range(repeats):
        began = time.process_time()
        view.observe(np.array([0]))
        times.append(time.process_time() - began)
    return float(np.median(times))


@dataclass(frozen=True)
class Plan:
    """What is to be done with the model."""

    cameras: int = 1
    width: int = 224
    height: int = 224
    answer: int = 4  # action tokens a decision
    actions: int = 2048  # of the vocabulary
    rank: int = 16
    decisions: int = 8  # a step of the optimiser
    groups: int = 16
    size: int = 8  # members of a group
    horizon: int = 6  # decisions that a member drives


def budget(plan: Plan, gpu: Gpu) -> list[tuple[str, float, str, str]]:
    """Rows: name, value, unit, how it was found."""
    count = counted(plan.rank, plan.actions)
    words, picture = prompt_of(plan.width, plan.height, plan.cameras)
    prompt = words + picture * plan.cameras
    sequence = prompt + plan.answer
    layer, rest = kept_for_backward(sequence, plan.rank)
    render = seconds_a_picture(plan.width, plan.height)
    trained = count["lora"] + count["rows"]
    decoder = count["total"] - count["vision"] - count["embedding"]
    weights = 2 * count["total"]
    learning = trained * 4 * 4  # float32: weight, gradient, two moments
    cache = 2 * LAYERS * 2 * 128 * 2 * sequence
    plain = plan.decisions * (LAYERS * layer + rest)
    again = plan.decisions * (LAYERS * 2 * WIDTH * sequence + layer + rest)
    flops, bandwidth = COMPUTE_SHARE * gpu.tflops * 1e12, MEMORY_SHARE * gpu.gb_per_s * 1e9
    see = 2.0 * (count["vision"] * 4 * picture * plan.cameras + decoder * prompt)  # operations of a prefill

    def seconds_of(prompts: int, decisions: int) -> float:
        step = 2 * (decoder + count["embedding"])  # bytes of weights that every token reads once for all
        batches = math.ceil(prompts / 64)
        return prompts * see / flops + batches * (plan.answer - 1) * step / bandwidth

    alone = max(see / flops, weights / bandwidth) + (plan.answer - 1) * 2 * (decoder + count["embedding"]) / bandwidth
    members = plan.groups * plan.size
    infer = seconds_of(plan.groups, members) + (plan.horizon - 1) * seconds_of(members, members)
    ahead = 2.0 * (count["vision"] * 4 * picture * plan.cameras)
    learn = members * (ahead + 3 * 2.0 * decoder * sequence) / flops  # forward, again, back to the inputs
    pictures = (plan.groups + (plan.horizon - 1) * members) * plan.cameras
    peak = weights + learning + again + 1.5 * GIB
    how_c, how_m, how_e = "counted", "measured", "estimated"
    return [
        ("parameters", count["total"] / 1e9, "billion", how_c),
        ("of the vision tower, frozen", count["vision"] / 1e9, "billion", how_c),
        (f"LoRA adapters, rank {plan.rank}", count["lora"] / 1e6, "million", how_c),
        (f"rows of {plan.actions} action tokens, tied", count["rows"] / 1e6, "million", how_c),
        (f"tokens of a picture {plan.width} x {plan.height}", picture, "", how_m),
        ("tokens of the words", words, "", how_e),
        ("tokens read a decision", prompt, "", how_e),
        ("weights, bfloat16", weights / GIB, "GiB", how_c),
        ("trained weights, gradients, Adam, float32", learning / GIB, "GiB", how_c),
        ("kept by a layer for a decision", layer / 2**20, "MiB", how_m),
        (f"activations of {plan.decisions} decisions", plain / GIB, "GiB", how_e),
        ("the same, computed again", again / GIB, "GiB", how_e),
        ("key-value cache a decision", cache / 2**20, "MiB", how_c),
        ("the same, 64 decisions at once", 64 * cache / GIB, "GiB", how_e),
        ("peak of training, computed again, 1.5 GiB aside", peak / GIB, "GiB", how_e),
        ("peak of training, activations kept", (peak - again + plain) / GIB, "GiB", how_e),
        ("a picture of the town, one core", 1e3 * render, "ms", how_m),
        ("a decision alone", 1e3 * alone, "ms", how_e),
        ("decisions a second, 64 at once", 64 / seconds_of(64, 64), "1/s", how_e),
        (f"one update: {plan.groups} groups of {plan.size}, decide", infer, "s", how_e),
        (f"one update: {pictures} pictures, one core", pictures * render, "s", how_e),
        (f"one update: learn from {members} decisions", learn, "s", how_e),
        ("imitation: 10 000 decisions, one epoch", 1e4 / members * learn, "s", how_e),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", choices=sorted(GPUS), default="A100-80GB")
    parser.add_argument("--decisions", type=int, default=8, help="a step of the optimiser")
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--width", type=int, default=224)
    parser.add_argument("--height", type=int, default=224)
    parser.add_argument("--lora-rank", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    plan = replace(
        Plan(), decisions=options.decisions, cameras=options.cameras, width=options.width, height=options.height,
        rank=options.lora_rank,
    )  # fmt: skip
    gpu = GPUS[options.gpu]
    rows = budget(plan, gpu)
    print(
        f"Qwen2.5-VL-3B on one {options.gpu} ({gpu.tflops:g} bfloat16 TFLOPS, {gpu.gb_per_s:g} GB/s; "
        f"{COMPUTE_SHARE:.0%} and {MEMORY_SHARE:.0%} of that taken as reached)"
    )
    print("| piece | | | |\n|---|---|---|---|")
    for name, value, unit, how in rows:
        shown = f"{value:.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"
        print(f"| {name} | {shown} | {unit} | {how} |")
    if options.json:
        print(json.dumps({name: {"value": value, "unit": unit, "how": how} for name, value, unit, how in rows}))


if __name__ == "__main__":
    main()
