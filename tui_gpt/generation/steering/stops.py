"""End streams of pieces at stop conditions, and hold back what may be the beginning of one.

The characters of the result are those of the stream up to the first condition that is complete; when two are complete
at the same character, the one that begins first. The stop string itself is not part of the result.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from tui_gpt.generation.steering.endings import EndReason
from tui_gpt.generation.steering.until import Condition
from tui_gpt.generation.text_model import NO_PIECE, Piece


def end_piece(reason: EndReason) -> Piece:
    """Return the last piece of a text that ended for this reason: it has no text."""
    return NO_PIECE._replace(end=reason)


class Scanner:
    """Looks for conditions in one text, character by character."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._conditions = conditions
        self._reach = max((condition.reach for condition in conditions), default=0)
        self._tail = ""
        self._visible_tail = ""
        """The end of the text from its first visible character on."""
        self.reason: EndReason | None = None
        """The condition that ended the text."""

    def take(self, character: str) -> int:
        """Read the next character; if it ends the text, return how many characters at its end are to be dropped."""
        self._tail = (self._tail + character)[-self._reach :]
        if self._visible_tail or not character.isspace():
            self._visible_tail = (self._visible_tail + character)[-self._reach :]
        excess, reason = 0, None
        for condition in self._conditions:
            own = condition.excess(self._seen(condition))
            excess, reason = max((excess, reason), (own, condition.reason), key=lambda found: found[0])
        self.reason = reason if excess else None
        return excess

    @property
    def held(self) -> int:
        """The number of characters at the end that may be the beginning of what ends the text."""
        return max((condition.held(self._seen(condition)) for condition in self._conditions), default=0)

    def _seen(self, condition: Condition) -> str:
        return self._visible_tail if condition.after_visible else self._tail


class StoppedText:
    """The pieces of one text, those held back, and whether it has ended."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._scanner = Scanner(conditions)
        self._waiting: deque[Piece] = deque()
        self.has_ended = False

    def take(self, piece: Piece) -> list[Piece]:
        """Take the next piece; return those that can be shown."""
        if self.has_ended:
            return []
        if piece.end is not None:
            return [*self.finish(), piece]
        self._waiting.append(piece)
        for k, character in enumerate(piece.text, start=1):
            excess = self._scanner.take(character)
            if excess:
                return self._ended(len(piece.text) - k + excess)
        return self._released(self._scanner.held)

    def finish(self) -> list[Piece]:
        """End the text; return the pieces that were held back."""
        self.has_ended = True
        return self._released(0)

    def _ended(self, excess: int) -> list[Piece]:
        """End the text without the last `excess` characters; return what is left."""
        released = self._released(excess)
        left = sum(len(piece.text) for piece in self._waiting) - excess
        if left > 0:
            released.append(self._waiting[0]._replace(text=self._waiting[0].text[:left]))
        self._waiting.clear()
        self.has_ended = True
        assert self._scanner.reason is not None
        return [*released, end_piece(self._scanner.reason)]

    def _released(self, held: int) -> list[Piece]:
        """Return the pieces before the last `held` characters, which no longer wait."""
        released, waiting = list[Piece](), sum(len(piece.text) for piece in self._waiting)
        while self._waiting and waiting - len(self._waiting[0].text) >= held:
            released.append(self._waiting.popleft())
            waiting -= len(released[-1].text)
        return released


def stopped(
    items: Iterator[tuple[Piece, ...]], conditions: Sequence[Condition], count: int
) -> Iterator[tuple[Piece, ...]]:
    """End each of `count` texts, whose next pieces are in each item, at its first condition."""
    texts = [StoppedText(conditions) for _ in range(count)]
    for item in items:
        yield from _side_by_side([text.take(piece) for text, piece in zip(texts, item, strict=True)])
        if all(text.has_ended for text in texts):
            return
    yield from _side_by_side([text.finish() for text in texts])


def _side_by_side(released: Sequence[Sequence[Piece]]) -> Iterator[tuple[Piece, ...]]:
    yield from zip_longest(*released, fillvalue=NO_PIECE)


def within_time(
    items: Iterator[tuple[Piece, ...]], seconds: float, count: int, clock: Callable[[], float]
) -> Iterator[tuple[Piece, ...]]:
    """End all texts that have not ended after the first item that comes `seconds` after the request for the first one,
    or later."""
    began, has_ended = clock(), [False] * count
    for item in items:
        yield item
        has_ended = [ended or piece.end is not None for ended, piece in zip(has_ended, item, strict=True)]
        if all(has_ended):
            return
        if clock() - began >= seconds:
            yield tuple(NO_PIECE if ended else end_piece("time") for ended in has_ended)
            return
