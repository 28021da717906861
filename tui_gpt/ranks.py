"""The processes that train one run together, as torchrun numbers them in the environment.

Rank 0 is the process that a run in one process has: it records, evaluates, saves and prints. The other ranks only
compute.
"""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass

from tui_gpt.errors import UsageError

TIMEOUT_VARIABLE = "TUI_GPT_RANK_TIMEOUT"
_DEFAULT_TIMEOUT_SECONDS = 120.0
_REQUIRED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """The place of this process among those that train a run."""

    rank: int = 0
    world: int = 1
    """Number of processes, on all machines."""
    local_rank: int = 0
    local_world: int = 1
    """Number of processes on this machine."""
    restarts: int = 0
    """How often torchrun has restarted the processes."""
    job: str = ""
    """Names the torchrun that started this process, also after a restart; empty without one."""
    timeout_seconds: float = _DEFAULT_TIMEOUT_SECONDS
    """How long a rank may be silent before the others end."""

    def __post_init__(self) -> None:
        if not (0 <= self.rank < self.world and 0 <= self.local_rank < self.local_world <= self.world):
            raise UsageError(
                f"rank {self.rank} of {self.world} (on this machine {self.local_rank} of {self.local_world}) cannot "
                "be: start the processes by torchrun, or unset RANK and WORLD_SIZE"
            )

    @property
    def are_several(self) -> bool:
        """Whether more than one process trains the run."""
        return self.world > 1


ALONE = Ranks()
"""A run in one process."""


def ranks_of(environment: Mapping[str, str], parent: int | None = None) -> Ranks:
    """Return the ranks that torchrun describes in the environment; `ALONE` where it does not.

    `parent` is the process that started this one, by default the actual one. Raises UsageError.
    """
    if not all(environment.get(name) for name in _REQUIRED):
        return ALONE
    rank, world = _number(environment, "RANK"), _number(environment, "WORLD_SIZE")
    return Ranks(
        rank=rank,
        world=world,
        local_rank=_number(environment, "LOCAL_RANK", rank),
        local_world=_number(environment, "LOCAL_WORLD_SIZE", world),
        restarts=_number(environment, "TORCHELASTIC_RESTART_COUNT", 0),
        job=_job(environment, os.getppid() if parent is None else parent),
        timeout_seconds=_seconds(environment),
    )


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name) or ("" if default is None else str(default))
    if not text.isdecimal():
        raise UsageError(f"{name} in the environment is {text!r}: start the processes by torchrun, or unset it")
    return int(text)


def _seconds(environment: Mapping[str, str]) -> float:
    text = environment.get(TIMEOUT_VARIABLE) or str(_DEFAULT_TIMEOUT_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= 86_400.0:
        raise UsageError(f"{TIMEOUT_VARIABLE} in the environment is {text!r}: set it to seconds, 1 to 86,400")
    return seconds


def _job(environment: Mapping[str, str], parent: int) -> str:
    """Return the name of torchrun's process, which restarts the others and remains the same; empty without torchrun.

    Its `--rdzv-id` does not do: another command may have the same one later.
    """
    return f"process {parent} on {platform.node()}" if "TORCHELASTIC_RUN_ID" in environment else ""
