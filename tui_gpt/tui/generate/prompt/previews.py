"""Computes the preview of the prompt in a thread: the most likely continuation, token by token (greedy)."""

from collections.abc import Callable, Iterator

from tui_gpt.control import Control
from tui_gpt.generation.branches import TreeShape, joined, without_part
from tui_gpt.session import SessionLike
from tui_gpt.tui.generate.background import LatestTask, OpenModels

PREVIEW_TOKENS = 24

Wanted = tuple[str | None, str]
"""A source, as `SessionLike.open_model` takes it, and the text to be continued."""


class Previews:
    """The latest preview requested; a model that cannot be opened has none."""

    def __init__(self, session: SessionLike, show: Callable[[str, str], object]) -> None:
        """`show` is called in the thread with a text and its continuation."""
        self._models = OpenModels(session)
        self._task = LatestTask[Wanted, str](
            self._compute, lambda wanted, text: show(wanted[1], text), lambda wanted, _: show(wanted[1], "")
        )

    def request(self, source: str | None, text: str) -> None:
        """Compute the preview of a text."""
        self._task.request((source, text))

    def stop(self) -> None:
        """Stop computing."""
        self._task.cancel()

    def _compute(self, wanted: Wanted, control: Control) -> Iterator[str]:
        source, text = wanted
        levels = self._models.open(source).continuations(text, TreeShape(PREVIEW_TOKENS, width=1), control)
        tokens = [branch.text for level in levels for branch in level.branches]
        yield without_part(joined(tokens))
