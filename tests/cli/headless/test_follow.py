"""A rank other than 0: silent, until rank 0 ends."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tui_gpt.cli.headless.follow import follow
from tui_gpt.control import Control
from tui_gpt.errors import RankLostError
from tui_gpt.ranks import Ranks

RANK_1 = Ranks(rank=1, world=2, local_rank=1, local_world=2)


@pytest.fixture(autouse=True)
def interrupt_handler() -> Iterator[None]:
    """What `follow` does to SIGINT ends with its process, or with the test."""
    previous = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, previous)


def orders(*codes: int, then: Callable[[Control], object] = lambda control: None) -> Callable[..., Iterator[int]]:
    def follow_rank_0(ranks: Ranks, control: Control) -> Iterator[int]:
        assert ranks == RANK_1
        yield from codes
        then(control)

    return follow_rank_0


def lose(control: Control) -> None:
    raise RankLostError("another process of this run was lost")


@pytest.mark.parametrize("codes", [(0, 0, 3), (3,)])
def test_it_ends_with_the_exit_code_of_rank_0(codes: tuple[int, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(orders(*codes), RANK_1) == 3
    assert capsys.readouterr() == ("", "")


def test_a_signal_asks_rank_0_to_stop_and_is_the_exit_code() -> None:
    stopped: list[bool] = []

    def note(control: Control) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        stopped.append(control.stop_requested)

    assert follow(orders(0, 0, then=note), RANK_1) == 143
    assert stopped == [True]


def test_a_lost_rank_is_an_error() -> None:
    with pytest.raises(RankLostError):
        follow(orders(0, then=lose), RANK_1)


def test_a_rank_lost_after_a_signal_is_part_of_the_stop() -> None:
    """torchrun signals every rank, and rank 0 may be gone first."""

    def end(control: Control) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        lose(control)

    assert follow(orders(0, then=end), RANK_1) == 143
