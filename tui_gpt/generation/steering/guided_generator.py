"""A decoder whose tokens are chosen by guides, one token of every text at a time."""

from collections.abc import Iterator, Sequence

import numpy as np

from tui_gpt.config import SampleConfig
from tui_gpt.generation.decoder import Uniforms
from tui_gpt.generation.decoders import Generator
from tui_gpt.generation.steering.guide import NO_TOKEN, Guide
from tui_gpt.generation.steering.stops import end_piece
from tui_gpt.generation.text_model import NO_PIECE, Piece
from tui_gpt.generation.weights import Floats, Ints


class GuidedGenerator:
    """Generates one text for each guide."""

    def __init__(self, generator: Generator, guides: Sequence[Guide]) -> None:
        self._generator = generator
        self._guides = guides

    def generate(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """Generate as `Decoder.generate` does, with NO_TOKEN after the end of a text; fewer than n when all end."""
        rows, drawn_from = list[Ints](), list[Floats]()
        for row in uniforms:
            logits = self._generator.logits
            chosen = zip(self._guides, logits, row.tolist(), strict=True)
            rows.append(np.array([guide.choose(one, config, uniform) for guide, one, uniform in chosen], np.int64))
            drawn_from.append(logits)
            if (rows[-1] == NO_TOKEN).all():
                break
            self._generator.advance(np.maximum(rows[-1], 0))
        return np.stack(rows), np.stack(drawn_from)


def with_ends(pieces: Sequence[Piece], tokens: Sequence[int], guides: Sequence[Guide]) -> tuple[Piece, ...]:
    """Return the pieces with the reason in place of each text's first NO_TOKEN, and NO_PIECE in place of others."""
    return tuple(
        piece if token != NO_TOKEN else _ended(guide)
        for piece, token, guide in zip(pieces, tokens, guides, strict=True)
    )


def _ended(guide: Guide) -> Piece:
    reason = guide.take_end()
    return NO_PIECE if reason is None else end_piece(reason)


def limit_pieces(guides: Sequence[Guide]) -> Iterator[tuple[Piece, ...]]:
    """Yield what is to be said of texts that have reached the length limit, if there is anything."""
    reasons = [guide.end_at_limit for guide in guides]
    if any(reasons):
        yield tuple(NO_PIECE if reason is None else end_piece(reason) for reason in reasons)
