"""Thread priorities, and the frame rate."""

import asyncio
import gc
import importlib
import os
import sys
import threading

import pytest

import tui_gpt.tui
from tui_gpt.tui.threads import (
    BACKGROUND_NICENESS,
    SWITCH_SECONDS,
    gc_paused,
    has_daemon_threads,
    in_background,
    lower_thread_priority,
    set_switch_interval,
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads a priority of their own")
def test_a_lower_priority_is_inherited_by_new_threads_and_leaves_the_others_alone() -> None:
    found: list[int] = []

    def look() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    def compute() -> None:
        lower_thread_priority()
        look()
        started = threading.Thread(target=look)
        started.start()
        started.join()

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert found == [max(before, BACKGROUND_NICENESS)] * 2
    assert os.getpriority(os.PRIO_PROCESS, threading.main_thread().native_id or 0) == before


def test_the_interpreter_switches_threads_sooner() -> None:
    before = sys.getswitchinterval()
    try:
        set_switch_interval()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)
    finally:
        sys.setswitchinterval(before)


def test_the_garbage_collector_is_disabled_and_enabled_again() -> None:
    states = []

    def work() -> None:
        states.append(gc.isenabled())
        raise KeyError

    with pytest.raises(KeyError), gc_paused():
        work()
    assert [*states, gc.isenabled()] == [False, True]


async def test_a_background_thread_has_a_low_priority_and_ends_with_its_work() -> None:
    """The threads that asyncio keeps are left as they are."""
    seen: list[threading.Thread] = []
    niceness: list[int] = []

    def work(number: int) -> int:
        seen.append(threading.current_thread())
        niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return number + 1

    assert await in_background(work, 2) == 3
    seen[0].join(timeout=10)
    assert not seen[0].is_alive()
    assert seen[0] is not threading.current_thread()
    assert seen[0].daemon
    if sys.platform == "linux":
        assert niceness[0] >= BACKGROUND_NICENESS


async def test_a_running_background_thread_is_found() -> None:
    gate = threading.Event()
    work = asyncio.ensure_future(in_background(gate.wait))
    await asyncio.sleep(0)
    assert has_daemon_threads()
    gate.set()
    assert await work


async def test_an_error_in_the_background_is_raised() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await in_background(fail)


@pytest.mark.parametrize(
    ("line", "frames", "animations"), [({}, "120", None), ({"SSH_TTY": "/dev/pts/0"}, "15", "none")]
)
def test_a_remote_terminal_gets_fewer_frames_and_no_animations(
    line: dict[str, str], frames: str, animations: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSH_CONNECTION", "SSH_TTY", "TEXTUAL_FPS", "TEXTUAL_ANIMATIONS"):
        monkeypatch.setenv(name, "")  # so that what the app sets is undone
        monkeypatch.delenv(name)
    for name, value in line.items():
        monkeypatch.setenv(name, value)
    importlib.reload(tui_gpt.tui)
    assert os.environ["TEXTUAL_FPS"] == frames
    assert os.environ.get("TEXTUAL_ANIMATIONS") == animations


def test_a_frame_rate_set_by_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTUAL_FPS", "7")
    importlib.reload(tui_gpt.tui)
    assert os.environ["TEXTUAL_FPS"] == "7"
