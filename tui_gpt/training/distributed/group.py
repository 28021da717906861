"""The process group of PyTorch that the ranks of a run form: gloo for CPUs, NCCL for CUDA devices.

A rank that dies closes its connections, which the others notice at once; one whose network is cut off, or which hangs,
when the time-out is over.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from tui_gpt.errors import RankLostError
from tui_gpt.ranks import Ranks

_REASON = re.compile(r"connection \w+ by peer|connection refused|timed out|timeout", re.IGNORECASE)
_OF_THE_NETWORK = re.compile(r"gloo|nccl|socket|tcpstore|connection|timed? ?out", re.IGNORECASE)


@contextmanager
def joined(ranks: Ranks) -> Iterator["Group"]:
    """Be a member of the group of all ranks within the block. Raises RankLostError if they do not join in time."""
    with lost_ranks_reported():
        _set_cuda_device(ranks)
        timeout = timedelta(seconds=ranks.timeout_seconds)
        store = _store(ranks, timeout)
        dist.init_process_group(_backend(), store=store, rank=ranks.rank, world_size=ranks.world, timeout=timeout)
    try:
        yield Group()
    finally:
        _leave()


def _store(ranks: Ranks, timeout: timedelta) -> Any:
    """Return where the ranks find each other's addresses: a part of torchrun's store for each restart, as the store
    keeps the addresses of processes that have ended (PyTorch 2.13, `--rdzv-backend static`)."""
    distributed: Any = dist  # which has no types for these two
    store, _, _ = next(distributed.rendezvous("env://", ranks.rank, ranks.world, timeout=timeout))
    return distributed.PrefixStore(f"restart-{ranks.restarts}", store)


def _backend() -> str:
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"


def _set_cuda_device(ranks: Ranks) -> None:
    if ranks.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(ranks.local_rank)


def _leave() -> None:
    try:
        dist.destroy_process_group()
    except RuntimeError:  # the group is broken already, and the process ends
        return


class Group:
    """The `Link` of all ranks."""

    def add_up(self, numbers: Sequence[float]) -> list[float]:
        """Return the sums over the numbers of all ranks. Raises RankLostError."""
        sums = torch.tensor(numbers, dtype=torch.float64)
        with lost_ranks_reported():
            dist.all_reduce(sums)
        return list(sums.tolist())

    def broadcast(self, content: bytes | None) -> bytes:
        """Return the content that rank 0 gives; the other ranks give None. Raises RankLostError."""
        size = torch.tensor([0 if content is None else len(content)])
        with lost_ranks_reported():
            dist.broadcast(size, 0)
            buffer = bytearray(int(size)) if content is None else bytearray(content)
            if buffer:
                dist.broadcast(torch.frombuffer(buffer, dtype=torch.uint8), 0)
        return bytes(buffer)


@contextmanager
def lost_ranks_reported() -> Iterator[None]:
    """Turn errors of the network within the block into a RankLostError; PyTorch raises RuntimeError for most."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not _OF_THE_NETWORK.search(str(error)):
            raise
        raise rank_lost(str(error)) from error


def rank_lost(message: str) -> RankLostError:
    """Return the error for a lost rank, with the reason that a message of PyTorch gives."""
    found = _REASON.search(message)
    reason = found.group().lower() if found else "the connection failed"
    return RankLostError(
        f"another process of this run was lost ({reason}): what was saved is kept; if `tui-gpt runs list` shows the "
        "run, start all processes again with --resume and its name, else as before"
    )
