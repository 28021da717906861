"""Evaluating a model on a text."""

import weakref
from collections.abc import Iterator

import pytest

from tests.cli.helpers import AbcModel, memory_streams, short_session
from tui_gpt.cli.headless.evaluate import score
from tui_gpt.generation.text_model import Piece


def test_scoring_a_text_holds_one_piece_at_a_time() -> None:
    """The pieces of a text are counted as they come."""

    class Marked(float):
        pass

    alive: weakref.WeakSet[Marked] = weakref.WeakSet()

    class Measured(AbcModel):
        most = 0

        def score(self, text: str, *, after: str = "", details: bool = False) -> Iterator[Piece]:
            for character in text:
                logprob = Marked(-1.0)
                alive.add(logprob)
                yield Piece(character, logprob)
                self.most = max(self.most, len(alive))

    session = short_session()
    session.model = model = Measured()
    assert score(session, None, "a" * 5_000, memory_streams()[0]).loss == pytest.approx(1.0)
    assert 0 < model.most < 10
