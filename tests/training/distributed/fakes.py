"""A link of ranks that are threads of one process."""

import threading
from collections.abc import Callable, Sequence

from tui_gpt.errors import RankLostError

WAIT_SECONDS = 30.0


class Meeting:
    """Where the ranks of a test meet. `lose` is what happens to them when one dies."""

    def __init__(self, world: int) -> None:
        self._barrier = threading.Barrier(world)
        self._given: dict[int, tuple[Sequence[float], bytes | None]] = {}

    def lose(self) -> None:
        """Have every exchange fail from now on."""
        self._barrier.abort()

    def exchange(self, rank: int, numbers: Sequence[float], content: bytes | None) -> tuple[list[float], bytes]:
        """Return the sums over the numbers of all ranks, and the content of rank 0."""
        try:
            self._given[rank] = numbers, content
            self._barrier.wait(WAIT_SECONDS)
            sums = [sum(column) for column in zip(*(given for given, _ in self._given.values()), strict=True)]
            first = self._given[0][1] or b""
            self._barrier.wait(WAIT_SECONDS)
        except threading.BrokenBarrierError:
            raise RankLostError("another process of this run was lost (closed)") from None
        return sums, first


class FakeLink:
    """One rank's `Link` to the others of a `Meeting`."""

    def __init__(self, meeting: Meeting, rank: int) -> None:
        self._meeting = meeting
        self._rank = rank

    def add_up(self, numbers: Sequence[float]) -> list[float]:
        return self._meeting.exchange(self._rank, numbers, None)[0]

    def broadcast(self, content: bytes | None) -> bytes:
        return self._meeting.exchange(self._rank, [0.0], content)[1]


def in_thread(work: Callable[[], object]) -> threading.Thread:
    """Run another rank."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
