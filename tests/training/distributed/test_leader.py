"""Rank 0 decides, and all ranks agree."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest
import torch

from tests.training.distributed.fakes import WAIT_SECONDS, FakeLink, Meeting, in_thread
from tui_gpt.config import RunConfig
from tui_gpt.control import Control
from tui_gpt.errors import RankLostError, StoppedError
from tui_gpt.ranks import ALONE, Ranks
from tui_gpt.storage.manifest import CheckpointInfo
from tui_gpt.training.checkpoints.tensors import Checkpoint
from tui_gpt.training.distributed import leader as module
from tui_gpt.training.distributed.gradients import SharedGradients
from tui_gpt.training.distributed.leader import Leader, LeaderGradients, leading
from tui_gpt.training.distributed.orders import Action, Order, take
from tui_gpt.training.distributed.start import receive_start, receive_tensors, send_start, send_tensors
from tui_gpt.training.step_gradients import Step


class OtherRank:
    """Rank 1, which notes the orders up to the one to end."""

    def __init__(self, link: FakeLink) -> None:
        self.orders: list[Order] = []
        self.asked_to_stop = False
        self.has_taken = threading.Event()
        self._link = link
        self._thread = in_thread(self._obey)

    def _obey(self) -> None:
        with contextlib.suppress(RankLostError):
            while not self.orders or self.orders[-1].action is not Action.END:
                self.orders.append(take(self._link, stop_requested=self.asked_to_stop))
                self.has_taken.set()

    def end(self) -> list[Order]:
        """Return all orders, after the last one."""
        self._thread.join(WAIT_SECONDS)
        return self.orders


class Two:
    """Rank 0 and rank 1."""

    def __init__(self) -> None:
        self.meeting = Meeting(2)
        self.control = Control()
        self.leader = Leader(FakeLink(self.meeting, 0), self.control)
        self.other = OtherRank(FakeLink(self.meeting, 1))

    def step(self, number: int) -> None:
        with self.leader.order(Action.STEP, Step(number, 0.25, 1.0)):
            pass


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Two ranks; while rank 0 is busy it orders to wait without a pause."""
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.001)
    two = Two()
    two.leader.begin()
    yield two
    two.meeting.lose()
    two.leader.end(0)


def test_the_others_get_the_order_that_rank_0_gives(ranks: Two) -> None:
    ranks.step(7)
    ranks.leader.end(3)
    orders = [order for order in ranks.other.end() if order.action is not Action.WAIT]
    assert orders == [Order(Action.STEP, Step(7, 0.25, 1.0)), Order(Action.END, exit_code=3)]


def test_a_busy_rank_0_orders_to_wait(ranks: Two) -> None:
    assert ranks.other.has_taken.wait(WAIT_SECONDS)
    assert ranks.other.orders[0] == Order(Action.WAIT)


def test_a_stop_of_any_rank_stops_the_run(ranks: Two) -> None:
    """Also while rank 0 makes no steps, e.g. in a pause."""
    ranks.control.pause()
    ranks.other.asked_to_stop = True
    for _ in ranks.control.wait_while_paused():
        pass
    assert ranks.control.stop_requested


def test_a_lost_rank_ends_a_pause_and_every_later_order(ranks: Two) -> None:
    ranks.control.pause()
    ranks.meeting.lose()
    for _ in ranks.control.wait_while_paused():
        pass
    with pytest.raises(RankLostError):
        ranks.leader.require_ranks()
    with pytest.raises(RankLostError):
        ranks.step(1)


def test_after_an_error_in_a_step_no_other_order_is_given(ranks: Two) -> None:
    """The other ranks are in the middle of the step, and would take the order for a part of it."""
    with pytest.raises(ZeroDivisionError), ranks.leader.order(Action.STEP, Step(7, 0.25, 1.0)):
        raise ZeroDivisionError
    ranks.leader.end(1)
    ranks.meeting.lose()
    assert Action.END not in [order.action for order in ranks.other.end()]


def test_a_stop_during_the_agreement_waits_for_the_next_one() -> None:
    """All ranks decide by the sum, which every one of them has."""

    class StoppingLink(FakeLink):
        def add_up(self, numbers: Sequence[float]) -> list[float]:
            sums = super().add_up(numbers)
            control.stop()
            return sums

    control, meeting = Control(), Meeting(1)
    link = StoppingLink(meeting, 0)
    gradients = LeaderGradients(Leader(link, control), link, cast(SharedGradients, None), control)
    assert not gradients._stop_is_agreed()
    assert gradients._stop_is_agreed()


def test_a_rank_that_is_lost_during_the_preparation_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops the preparation, which alone would look like a stop that was asked for."""
    meeting, control = Meeting(2), Control()
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.001)
    monkeypatch.setattr(module, "joined", lambda _ranks: contextlib.nullcontext(FakeLink(meeting, 0)))
    meeting.lose()

    def prepare() -> None:
        with leading(Ranks(world=2, local_world=2), control):
            while not control.stop_requested:
                threading.Event().wait(0.001)
            raise StoppedError

    with pytest.raises(RankLostError):
        prepare()


def test_one_process_has_nobody_to_lead() -> None:
    with leading(ALONE, Control()) as leader:
        assert leader is None


def test_the_state_of_a_run_arrives_as_it_was(tmp_path: Path) -> None:
    meeting = Meeting(2)
    info = CheckpointInfo(config=RunConfig(), tokenizer={"characters": "abc"}, vocab_size=3, step=5, max_iters=9)
    sent = Checkpoint(info, {"head": torch.arange(6.0).view(2, 3).T}, {"optimizer.0.0.step": torch.tensor(5)})
    received: list[tuple[str, Checkpoint]] = []
    other = in_thread(lambda: received.append(receive_start(FakeLink(meeting, 1))))
    send_start(FakeLink(meeting, 0), "fox", sent)
    other.join(WAIT_SECONDS)
    ((name, checkpoint),) = received
    assert (name, checkpoint.info) == ("fox", info)
    assert checkpoint.training is not None
    assert torch.equal(checkpoint.weights["head"], sent.weights["head"])
    assert torch.equal(checkpoint.training["optimizer.0.0.step"], torch.tensor(5))


def test_a_roll_back_sends_weights_and_optimizer_state() -> None:
    meeting = Meeting(2)
    received: list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]] = []
    other = in_thread(lambda: received.append(receive_tensors(FakeLink(meeting, 1))))
    send_tensors(FakeLink(meeting, 0), {"a": torch.ones(2)}, {})
    other.join(WAIT_SECONDS)
    assert torch.equal(received[0][0]["a"], torch.ones(2))
    assert received[0][1] == {}
