"""The installed PyTorch and the speed of this machine, for `tui-gpt doctor`."""

import time
from collections.abc import Callable

import torch

from tui_gpt.requests import MachineSpeed, TorchInfo
from tui_gpt.training.compute.capabilities import available_devices, capabilities_of

MATRIX_SIZE = 1024
COPY_BYTES = 1 << 26
MEASURE_SECONDS = 0.25
"""Time for each of the two measurements."""


def torch_info() -> TorchInfo:
    """Return the version of PyTorch, its threads, and the devices that it can use."""
    devices = [_described(device) for device in available_devices()]
    return TorchInfo(
        version=str(torch.__version__),
        build=f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build",
        threads=torch.get_num_threads(),
        devices=tuple(devices),
    )


def _described(device: torch.device) -> str:
    try:
        words = str(capabilities_of(device))
    except RuntimeError as error:  # a GPU that is there and does not work
        return f"{device} ({str(error).splitlines()[0]})"
    return f"{words}, by --device mps" if device.type == "mps" else words


def measure_speed() -> MachineSpeed:
    """Return how fast the CPU multiplies matrices in single precision, and copies memory."""
    left, right = torch.rand(MATRIX_SIZE, MATRIX_SIZE), torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    source = torch.zeros(COPY_BYTES, dtype=torch.uint8)
    target = torch.empty_like(source)
    multiply = _best_seconds(lambda: torch.mm(left, right))
    copy = _best_seconds(lambda: target.copy_(source))
    return MachineSpeed(flops=2 * MATRIX_SIZE**3 / multiply, copied_bytes=2 * COPY_BYTES / copy)


def _best_seconds(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of the calls that fit into MEASURE_SECONDS, at least three."""
    work()
    best, count, began = float("inf"), 0, time.perf_counter()
    while count < 3 or time.perf_counter() - began < MEASURE_SECONDS:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
        count += 1
    return best
