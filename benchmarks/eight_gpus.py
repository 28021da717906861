"""Compute what a model of 100 million parameters needs on 8 GPUs, for docs/scaling.md: nothing is trained or measured.

    python benchmarks/eight_gpus.py

The parameters are those of the model itself, built without memory on the meta device; the rest is arithmetic on the
assumptions below, with the formulas of docs/scaling.md.
"""

import dataclasses
from collections import Counter

import torch

from tui_gpt.config import PRESETS
from tui_gpt.models.modern import Modern
from tui_gpt.training.optim.muon import QUINTICS

GPUS = 8
VOCAB_SIZE = 65
BLOCK_SIZE = 1024
SEQUENCES = 32
"""Per GPU and backward pass."""
BF16_FLOPS, TF32_FLOPS = 989e12, 494e12
"""Dense peaks of one H100 SXM."""
UTILISATION, MUON_UTILISATION = 0.4, 0.3
LINK_EFFICIENCY = 0.8
LINKS = {"NVLink 4": 450e9, "PCIe 5 x16": 64e9, "100 Gbit/s": 12.5e9, "25 Gbit/s": 3.125e9, "10 Gbit/s": 1.25e9}
"""Bytes per second and direction, for each GPU."""
BUCKET_BYTES = 25 * 2**20
"""Gradients that DDP reduces together by default."""
CONFIG = dataclasses.replace(
    PRESETS["quick"].model, n_layer=14, n_embd=768, n_head=12, block_size=BLOCK_SIZE, dropout=0.0
)


def main() -> None:
    """Print the parameters, the memory, and the step for each link."""
    parts = parameters()
    count = sum(parts.values())
    for part, numbers in parts.items():
        print(f"{part:24}{numbers:>14,}")
    print(f"{'together':24}{count:>14,}")
    tokens = SEQUENCES * BLOCK_SIZE
    flops_per_token = 6 * count + 12 * CONFIG.n_layer * CONFIG.n_embd * BLOCK_SIZE
    passes = tokens * flops_per_token / (UTILISATION * BF16_FLOPS)
    optimiser = muon_flops() / (MUON_UTILISATION * TF32_FLOPS)
    print(f"{flops_per_token / 1e6:.0f} MFLOP per token, {tokens * flops_per_token / 1e12:.1f} TFLOP per GPU and step")
    print(f"forward and backward {1e3 * passes:.1f} ms")
    print(f"Muon {muon_flops() / 1e12:.2f} TFLOP, {1e3 * optimiser:.1f} ms")
    for link, bandwidth in LINKS.items():
        seconds = 2 * (GPUS - 1) / GPUS * 4 * count / (LINK_EFFICIENCY * bandwidth)
        row = [f"{efficiency(seconds, passes, optimiser, 4 * count, k):.1%}" for k in (1, 8)]
        print(f"{link:12} all-reduce {1e3 * seconds:7.1f} ms, efficiency {row[0]}, with 8 accumulated passes {row[1]}")


def parameters() -> Counter[str]:
    """Return the number of parameters of each part of the model."""
    with torch.device("meta"):
        model = Modern(CONFIG, VOCAB_SIZE)
    parts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        parts[".".join(name.split(".")[:3:2]) if name.startswith("blocks") else name.split(".")[0]] += parameter.numel()
    return parts


def muon_flops() -> int:
    """Return the floating-point operations of one orthogonalisation of all matrices (training/optim/muon.py)."""
    C, products = CONFIG.n_embd, 4 * len(QUINTICS) - 3
    squares = 4 * C**2 * (2 * C + products * C)
    rectangles = 2 * C**2 * (2 * 4 * C + products * C)
    return 2 * CONFIG.n_layer * (squares + rectangles)


def efficiency(all_reduce: float, passes: float, optimiser: float, gradient_bytes: int, accumulated: int) -> float:
    """Return the throughput per GPU divided by that of one GPU alone.

    The all-reduce of all buckets but the last overlaps with the last backward pass, two thirds of `passes` (seconds).
    """
    last = min(1.0, BUCKET_BYTES / gradient_bytes)
    exposed = max(all_reduce - (1 - last) * passes * 2 / 3, last * all_reduce)
    alone = accumulated * passes + optimiser
    return alone / (alone + exposed)


if __name__ == "__main__":
    main()
