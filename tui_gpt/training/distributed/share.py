"""Which windows of a step each rank computes: arithmetic on the sizes of the run.

A step reads `batch_size * gradient_accumulation` windows for each network, whatever the number of ranks, so that the
same run is trained by one process and by several. Their positions in the run's order of windows depend on the step
alone; each rank takes an equal part, in order, in the fewest batches of at most `batch_size` windows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tui_gpt.config import RunConfig
from tui_gpt.errors import ConfigError
from tui_gpt.ranks import ALONE, Ranks

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Share:
    """One rank's part of every step."""

    batch_size: int
    accumulation: int = 1
    """Batches of a step in one process."""
    networks: int = 1
    rank: int = 0
    world: int = 1

    @classmethod
    def of(cls, config: RunConfig, ranks: Ranks = ALONE) -> "Share":
        """Return this rank's part of a run's steps. Raises ConfigError where they cannot be divided equally."""
        train = config.train
        require_divisible(train.batch_size * train.gradient_accumulation, ranks.world)
        return cls(train.batch_size, train.gradient_accumulation, config.model.networks, ranks.rank, ranks.world)

    @property
    def windows(self) -> int:
        """Windows of each network that this rank computes in a step."""
        return self.batch_size * self.accumulation // self.world

    @property
    def batches(self) -> int:
        """Batches in which this rank computes its part of a step."""
        return next(count for count in divisors(self.windows) if self.windows // count <= self.batch_size)

    def places(self, number: int) -> Places:
        """Return (networks * B,): the positions, in the run's order of windows, of this rank's batch `number`.

        The windows of each network are consecutive, as an ensemble expects them.
        """
        step, batch = divmod(number, self.batches)
        size = self.windows // self.batches
        windows = self.rank * self.windows + batch * size + np.arange(size)
        batches, rows = np.divmod(windows, self.batch_size)
        networks = np.arange(self.networks)[:, None]
        return (((step * self.accumulation + batches) * self.networks + networks) * self.batch_size + rows).reshape(-1)


def divisors(number: int) -> list[int]:
    """Return the divisors of a positive number, in ascending order."""
    small = [k for k in range(1, int(number**0.5) + 1) if number % k == 0]
    return small + [number // k for k in reversed(small) if k * k != number]


def require_divisible(windows: int, world: int) -> None:
    """Raise ConfigError, with the nearest numbers of processes that are possible, unless `world` divides `windows`."""
    if windows % world == 0:
        return
    possible = divisors(windows)
    below, above = [k for k in possible if k < world][-1], [k for k in possible if k > world][:1]
    choices = " or ".join(f"{k:,}" for k in (below, *above))
    up = -(-windows // world) * world
    raise ConfigError(
        f"the {windows:,} windows of a step (batch_size x gradient_accumulation) cannot be divided equally among "
        f"{world:,} processes: start {choices}, or choose sizes whose product is {up:,}"
    )
