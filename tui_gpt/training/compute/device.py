"""Where training happens: the device, and how many threads it may use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from tui_gpt.config import TrainConfig
from tui_gpt.cores import available_cores
from tui_gpt.errors import ConfigError


@dataclass(frozen=True)
class ComputeDevice:
    """One process on one device."""

    device: torch.device
    cores: int = 1
    """CPU cores to compute with."""

    @classmethod
    def of(cls, config: TrainConfig) -> "ComputeDevice":
        """Return the device and the cores that `config` asks for; set this thread's number of CPU threads.

        Raises ConfigError where the device is not to be had.
        """
        torch.get_num_threads()  # a thread that never asked takes whatever any other thread sets last
        cores = config.threads or available_cores()
        torch.set_num_threads(cores)
        return cls(device=choose_device(config.device), cores=cores)

    def replica_count(self, config: TrainConfig) -> int:
        """Among how many replicas a batch is shared out: one a core, at most one a sequence; one on a GPU."""
        return min(self.cores, config.batch_size) if self.device.type == "cpu" else 1


@contextmanager
def using_cores(count: int) -> Iterator[None]:
    """Let torch use so many cores in this thread for a while, also as a decorator; the setting of other threads stays.

    One is best for small tensors: a second thread would cost more than it brings, and fight with training beside it.
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
    """The device of that name; `auto` is CUDA where there is one, else the CPU (Apple's MPS only by name).

    Raises ConfigError where the device is not to be had.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("this machine (or this build of torch) has no CUDA device: use --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("this machine (or this build of torch) has no MPS device: use --device cpu")
    return torch.device(name)
