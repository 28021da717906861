"""Simulate crashes and damage, for the tests of everything that is written to disk and for `benchmarks/torture.py`.

`killed_at` runs a function in a forked process that is killed at its n-th change of the disk: each system call that
changes something is a fault point (a write is cut in half). `mutations` makes damaged copies of a file's bytes.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

CALLS = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "ftruncate")


def killed_at(point: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child that is killed at its fault point number `point`; return False when it ends before that."""
    child = os.fork()
    if child == 0:
        _count_down(point)
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    if os.waitstatus_to_exitcode(status) != 0:
        raise AssertionError("the work failed instead of being killed")
    return False


def killed_after(seconds: float, work: Callable[[], object]) -> None:
    """Run `work` repeatedly in a child that is killed after some seconds, wherever it is then."""
    child = os.fork()
    if child == 0:
        try:
            while True:
                work()
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise AssertionError("the work failed before it was killed")


def _count_down(point: int) -> None:
    left = point

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                if name == "write":
                    call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return call(*arguments, **options)

        return dying

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))


def mutations(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield damaged copies: bits flipped, pieces cut, doubled, zeroed or reversed, other numbers, foreign bytes."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(content)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            _damage(data, rng)
        yield bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    place = rng.randrange(len(data) + 1)
    length = rng.choice((1, 1, 4, 64, 1024))
    match rng.randrange(9):
        case 0 if place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        case 1:
            del data[place:]
        case 2:
            del data[place : place + length]
        case 3:
            data[place:place] = data[place : place + length]
        case 4:
            data[place : place + length] = bytes(len(data[place : place + length]))
        case 5:
            data[place:place] = rng.randbytes(length)
        case 6:
            data[place:place] = rng.choice(_UGLY)
        case 7:
            _replace_number(data, place, rng)
        case _:
            data[place : place + length] = data[place : place + length][::-1]


_UGLY = (
    *(b"NaN", b"1e999", b"-1", b"null", b"[" * 5_000, b'{"a":' * 3_000, b"9" * 5_000, b"\\ud800", b"\xff\xfe"),
    *(b"../../../etc/passwd", b"\x1b[2J", b"\n", b"\r\n", b"\x00", b'"', b"}", b"true"),
)


def _replace_number(data: bytearray, place: int, rng: random.Random) -> None:
    """Replace the next number, as in a JSON file that someone edited."""
    digits = [index for index in range(place, min(place + 400, len(data))) if 48 <= data[index] <= 57]
    if digits:
        data[digits[0] : digits[0] + 1] = str(rng.choice((0, 7, 2**31, 2**63, 10**30))).encode()
