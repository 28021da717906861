"""An iterator advances in its own thread, only when asked to, and Ctrl+C in the main thread loses no item."""

import _thread
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tui_gpt.api.stepping import SteppingThread


def test_the_items_are_computed_on_request_in_one_other_thread() -> None:
    computed: list[tuple[int, int]] = []

    def items() -> Iterator[int]:
        for k in range(3):
            computed.append((k, threading.get_ident()))
            yield k

    thread = SteppingThread(items())
    assert computed == []
    assert thread.take() == 0
    assert [k for k, _ in computed] == [0]
    assert [thread.take(), thread.take()] == [1, 2]
    with pytest.raises(StopIteration):
        thread.take()
    assert len({ident for _, ident in computed} | {threading.get_ident()}) == 2
    thread.finish()


def test_what_the_iterator_raises_is_raised_where_the_item_is_taken() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is full")

    thread = SteppingThread(items())
    thread.take()
    with pytest.raises(OSError, match="the disk is full"):
        thread.take()
    thread.finish()


def test_items_that_were_computed_for_a_request_are_taken_later() -> None:
    done: Future[str] = Future()

    def items() -> Iterator[int]:
        yield from (1, 2)
        done.set_result("answered")
        yield 3

    thread = SteppingThread(items())
    assert thread.take() == 1
    thread.request_until(done)
    assert done.result() == "answered"
    assert [thread.take(), thread.take()] == [2, 3]
    thread.finish()


def test_a_request_that_is_never_answered_ends_with_the_iterator() -> None:
    thread = SteppingThread(iter((1, 2)))
    thread.request_until(Future())
    assert [thread.take(), thread.take()] == [1, 2]
    thread.finish()


def test_ctrl_c_ends_the_wait_and_finishing_computes_the_rest() -> None:
    stop, computed = threading.Event(), []

    def items() -> Iterator[int]:
        yield 1
        _thread.interrupt_main()
        stop.wait()
        for k in (2, 3):
            computed.append(k)
            yield k

    thread = SteppingThread(items())
    thread.take()
    with pytest.raises(KeyboardInterrupt):
        thread.take()
    assert computed == []
    stop.set()
    thread.finish()
    assert computed == [2, 3]
