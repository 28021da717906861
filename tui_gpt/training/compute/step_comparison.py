"""One training step of a small model on each device and in each precision, compared with the CPU's in float32.

For `tui-gpt doctor`: a driver or a GPU that computes nonsense shows here, and so does which precision is fast.
"""

import math
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from tui_gpt.config import ModelConfig, Precision
from tui_gpt.models.build import build_model
from tui_gpt.requests import StepComparison
from tui_gpt.training.batches import Batch
from tui_gpt.training.compute.capabilities import Capabilities, available_devices, capabilities_of
from tui_gpt.training.compute.device import using_cores
from tui_gpt.training.compute.replicas import Replicas

MODEL = ModelConfig(block_size=64, n_layer=2, n_head=2, n_embd=64)
WINDOWS = 4
VOCAB_SIZE = 65
MEASURE_SECONDS = 0.1
"""Time for the repetitions of each step, of which there is at least one."""

Step = tuple[float, list[Tensor]]
"""The loss and the gradients, on the CPU."""


@using_cores(1)
def compare_steps() -> tuple[StepComparison, ...]:
    """Return the comparisons of all devices, those of the CPU last; the CPU computes on one core."""
    expected, _ = _timed_step(torch.device("cpu"), "fp32")
    return tuple(one for device in available_devices() for one in _comparisons_of(device, expected))


def _comparisons_of(device: torch.device, expected: Step) -> Iterator[StepComparison]:
    for precision in _precisions_of(capabilities_of(device)):
        try:
            step, seconds = _timed_step(device, precision)
        except Exception as error:  # a driver can raise anything
            lines = str(error).splitlines() or [type(error).__name__]
            yield StepComparison(device=str(device), precision=precision, problem=lines[0])
        else:
            yield _comparison(str(device), precision, seconds, step, expected)


def _precisions_of(capabilities: Capabilities) -> tuple[Precision, ...]:
    """Return what is worth a comparison: on a CPU bfloat16 as well, to see that it is slow."""
    tf32: tuple[Precision, ...] = ("tf32",) if capabilities.has_tf32 else ()
    bf16: tuple[Precision, ...] = ("bf16",) if capabilities.has_bf16 or capabilities.kind == "cpu" else ()
    return ("fp32", *tf32, *bf16)


def _timed_step(device: torch.device, precision: Precision) -> tuple[Step, float]:
    model = build_model(MODEL, VOCAB_SIZE, seed=1).to(device)
    replicas = Replicas([model], device, precision=precision)
    batch = _batch()
    step = _step(replicas, batch)
    best, began = math.inf, time.perf_counter()
    while best == math.inf or time.perf_counter() - began < MEASURE_SECONDS:
        start = time.perf_counter()
        float(replicas.gradients(batch)[0])  # waits for a GPU
        best = min(best, time.perf_counter() - start)
    return step, best


def _batch() -> Batch:
    tokens = torch.randint(VOCAB_SIZE, (WINDOWS, MODEL.block_size + 1), generator=torch.Generator().manual_seed(2))
    return Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())


def _step(replicas: Replicas, batch: Batch) -> Step:
    loss, gradients = replicas.gradients(batch)
    return float(loss), [gradient.cpu() for gradient in gradients]


def _comparison(device: str, precision: Precision, seconds: float, step: Step, expected: Step) -> StepComparison:
    differences = [one - other for one, other in zip(step[1], expected[1], strict=True)]
    return StepComparison(
        device=device,
        precision=precision,
        seconds=seconds,
        loss_difference=abs(step[0] - expected[0]),
        gradient_difference=_norm(differences) / _norm(expected[1]),
    )


def _norm(tensors: Sequence[Tensor]) -> float:
    return float(nn.utils.get_total_norm(tensors))
