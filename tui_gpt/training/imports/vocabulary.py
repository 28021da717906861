"""Read the vocabulary of nanoGPT's `meta.pkl` without unpickling it.

A pickle is a program. This reads its instructions with `pickletools`, which runs none, and follows only those that
make numbers, strings and dictionaries: nothing can be imported, called or constructed.
"""

import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tui_gpt.errors import IncompatibleError, NotFoundError
from tui_gpt.storage.plain_files import read_plain_file

_LIMIT = 8 << 20
"""Bytes; a vocabulary of all of Unicode needs 3 MB."""
_MARK = object()
_REMEDY = "name the meta.pkl that a prepare.py of nanoGPT on characters has written, with --meta"


def read_vocabulary(file: Path) -> str:
    """Return the characters of a `meta.pkl`, in the order of their tokens.

    Raises NotFoundError, IncompatibleError where the file holds anything but `stoi` and `itos` of single characters.
    """
    try:
        data = read_plain_file(file, _LIMIT)
    except OSError as error:
        raise NotFoundError(f"{file} cannot be read ({error.strerror}): {_REMEDY}") from error
    try:
        return _characters_of(plain_value(data))
    except (ValueError, TypeError, LookupError) as error:
        raise IncompatibleError(f"{file} is no vocabulary of characters ({error}): {_REMEDY}") from error


def _characters_of(meta: object) -> str:
    if not isinstance(meta, dict) or not isinstance(meta.get("itos"), dict) or not isinstance(meta.get("stoi"), dict):
        raise ValueError("it has no itos and stoi")
    itos, stoi = meta["itos"], meta["stoi"]
    if set(itos) != set(range(len(itos))) or not itos:
        raise ValueError("its tokens are not numbered from 0")
    characters = [itos[token] for token in range(len(itos))]
    if not all(isinstance(character, str) and len(character) == 1 for character in characters):
        raise ValueError("a token is not a single character")
    if stoi != {character: token for token, character in enumerate(characters)}:
        raise ValueError("its itos and stoi contradict each other")
    text = "".join(characters)
    text.encode("utf-8")
    return text


def plain_value(pickled: bytes) -> object:
    """Return the number, string or dictionary in a pickle. Raises ValueError for any other instruction, TypeError,
    LookupError where it is damaged."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "STOP":
            return machine.stack[-1]
        step = _STEPS.get(opcode.name)
        if step is None:
            raise ValueError(f"it holds the instruction {opcode.name}, which can be code")
        step(machine, argument)
    raise ValueError("it is cut short")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def skip(self, _: Any) -> None:
        """Do nothing: the instruction describes the format."""

    def push(self, value: Any) -> None:
        """Push a number or a string."""
        self.stack.append(value)

    def push_dict(self, _: Any) -> None:
        """Push an empty dictionary."""
        self.stack.append({})

    def push_mark(self, _: Any) -> None:
        """Push the mark before the items of `set_items`."""
        self.stack.append(_MARK)

    def memoize(self, index: int | None) -> None:
        """Remember the value on top of the stack, under the next number if none is given."""
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def recall(self, index: int) -> None:
        """Push a remembered value."""
        self.stack.append(self.memo[index])

    def set_item(self, _: Any) -> None:
        """Put a key and a value into the dictionary below them."""
        value, key = self.stack.pop(), self.stack.pop()
        self._dict()[key] = value

    def set_items(self, _: Any) -> None:
        """Put all keys and values after the mark into the dictionary below it."""
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        self._dict().update(zip(items[::-2], items[-2::-2], strict=True))

    def _dict(self) -> dict[Any, Any]:
        if not isinstance(self.stack[-1], dict):
            raise TypeError("it is damaged")
        return self.stack[-1]


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _Machine.skip),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "SHORT_BINUNICODE", "BINUNICODE"), _Machine.push),
    **dict.fromkeys(("MEMOIZE", "BINPUT", "LONG_BINPUT"), _Machine.memoize),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.recall),
    "EMPTY_DICT": _Machine.push_dict,
    "MARK": _Machine.push_mark,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
}
"""The instructions of binary pickles (protocols 1 to 5) that make plain values."""
