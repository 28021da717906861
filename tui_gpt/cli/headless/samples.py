"""Several texts generated from one prompt, in groups that bound the memory."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.generation.steering.endings import EndReason
from tui_gpt.generation.text_model import Piece, TextModel

T = TypeVar("T")

_MAX_GROUP = 64
"""Most texts generated side by side: each has its own KV cache."""
_MAX_HELD_CHARACTERS = 1 << 24
"""Most characters held back until the texts before them are written."""
_REPORT_EVERY = 1_000
"""Characters between two reports of progress."""


@dataclass(frozen=True)
class Samples:
    """The texts that a model generates from one prompt: `count` of them, with consecutive seeds."""

    model: TextModel
    prompt: str
    config: SampleConfig
    count: int
    control: Control
    ends: Counter[EndReason] = field(default_factory=Counter)
    """Why the texts ended, those that did before the length limit."""

    def texts(self) -> Iterator[Iterator[str]]:
        """Yield the parts of each text: the first of a group as it is generated, the others after it.

        A group is as large as memory allows.
        """
        group_size = max(1, min(_MAX_GROUP, _MAX_HELD_CHARACTERS // self.config.max_new_tokens))
        for begin in range(0, self.count, group_size):
            if self.control.stop_requested:
                return
            others: list[list[str]] = [[] for _ in range(min(group_size, self.count - begin) - 1)]
            yield self._reported(self._group(begin, others), begin, len(others) + 1)
            yield from (iter(("".join(written),)) for written in others)

    def detailed(self) -> Iterator[Iterator[Piece]]:
        """Yield the pieces of each text, with their alternatives."""
        for number in range(self.count):
            pieces = self.model.stream(self.prompt, self._config(number), self.control, details=True)
            yield self._reported(map(self._noted, pieces), number, 1)

    def _group(self, begin: int, others: list[list[str]]) -> Iterator[str]:
        """Yield the characters of text number `begin` and append those of the next ones to `others`."""
        if not others:
            stream = self.model.stream(self.prompt, self._config(begin), self.control)
            yield from (self._noted(piece).text for piece in stream)
            return
        group = self.model.stream_many(self.prompt, self._config(begin), len(others) + 1, self.control)
        for first, *more in group:
            for written, piece in zip(others, more, strict=True):
                written.append(self._noted(piece).text)
            yield self._noted(first).text

    def _noted(self, piece: Piece) -> Piece:
        """Count why a text ended; return the piece."""
        if piece.end is not None:
            self.ends[piece.end] += 1
        return piece

    def _config(self, number: int) -> SampleConfig:
        assert self.config.seed is not None
        return replace(self.config, seed=(self.config.seed + number) % 2**63)

    def _reported(self, parts: Iterator[T], begin: int, size: int) -> Iterator[T]:
        """Yield the parts of text number `begin`, and report the progress of all. `size` texts advance together."""
        for k, part in enumerate(parts):
            if k % _REPORT_EVERY == 0:
                done = begin + size * k / self.config.max_new_tokens
                self.control.report("generating", done / self.count)
            yield part
