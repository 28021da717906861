"""The device that computes, and its number of CPU threads."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from tui_gpt.config import Precision, TrainConfig
from tui_gpt.cores import available_cores
from tui_gpt.errors import ConfigError
from tui_gpt.ranks import ALONE, Ranks
from tui_gpt.training.compute.capabilities import Capabilities, capabilities_of
from tui_gpt.training.compute.precision import possible_precisions


@dataclass(frozen=True)
class ComputeDevice:
    """A device and the CPU cores that go with it."""

    device: torch.device
    cores: int = 1
    """CPU cores to compute with."""
    precisions: tuple[Precision, ...] = ("fp32",)
    """The precisions to choose from, see `possible_precisions`; one, once it is chosen."""
    ranks: Ranks = ALONE

    @classmethod
    def of(cls, config: TrainConfig, ranks: Ranks = ALONE) -> "ComputeDevice":
        """Return the device and the cores that `config` asks for; set this thread's number of CPU threads.

        The ranks on one machine divide its cores. Raises ConfigError where the device is not available, or lacks the
        precision.
        """
        fix_thread_count()
        cores = config.threads or max(1, available_cores() // ranks.local_world)
        torch.set_num_threads(cores)
        device = choose_device(config.device)
        if device.type == "mps" and ranks.are_several:
            raise ConfigError("several processes cannot train on mps: use --device cpu, or one process")
        if device.type == "cuda" and ranks.local_world > torch.cuda.device_count():
            raise ConfigError(
                f"this machine has {torch.cuda.device_count()} CUDA devices for {ranks.local_world} processes: "
                "start one process for each"
            )
        return cls(device, cores, possible_precisions(config.precision, capabilities_of(device)), ranks)

    @property
    def precision(self) -> Precision:
        """The precision of the matrix products in training."""
        return self.precisions[0]

    @property
    def is_asynchronous(self) -> bool:
        """Whether Python continues while the device computes, so that reading a value waits for it.

        Several ranks wait for each other anyway, and decide on what they have read.
        """
        return self.device.type == "cuda" and not self.ranks.are_several

    @property
    def capabilities(self) -> Capabilities:
        """What the device can do, and its free memory at the moment."""
        return capabilities_of(self.device)

    def with_precision(self, precision: Precision) -> "ComputeDevice":
        """Return the same device with that precision."""
        return dataclasses.replace(self, precisions=(precision,))

    def replica_count(self, config: TrainConfig) -> int:
        """Return the number of replicas: one per core and at most one per sequence of a batch; one on a GPU, and one
        for each of several ranks."""
        if self.device.type != "cpu" or self.ranks.are_several:
            return 1
        return min(self.cores, config.batch_size)


def use_device(device: torch.device) -> None:
    """Make one of several GPUs the one that this thread uses, else it would reserve memory on the first."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def release_memory(device: torch.device) -> None:
    """Return the memory that PyTorch keeps for later to a GPU, so that other sizes fit."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def sum_dtype(device: torch.device) -> torch.dtype:
    """Return the precision to sum many losses in: double, which MPS lacks."""
    return torch.float32 if device.type == "mps" else torch.float64


def fix_thread_count() -> None:
    """Give this thread its own number of CPU threads, which the numbers of other threads do not change from then on."""
    torch.get_num_threads()


@contextmanager
def keeping_thread_count() -> Iterator[None]:
    """Restore this thread's number of CPU threads after the block, and with it that of threads that have none yet."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def using_cores(count: int) -> Iterator[None]:
    """Let torch use that many cores in this thread within the block; also a decorator. Other threads are not affected.

    One is best for small tensors: a second thread costs more than it gains, and competes with training.
    """
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is CUDA if available, else the CPU (MPS only by name).

    Raises ConfigError where the device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("this machine (or this build of torch) has no CUDA device: use --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("this machine (or this build of torch) has no MPS device: use --device cpu")
    return torch.device(name)
