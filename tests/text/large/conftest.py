"""Limits so low that texts of a few bytes are large."""

import pytest

from tui_gpt.text.large import pieces, scan, text, tokens


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of more than 20 bytes are read in pieces of 8, and their tokens are stored in chunks of 10."""
    monkeypatch.setattr(text, "LARGE_BYTES", 20)
    monkeypatch.setattr(pieces, "PIECE_BYTES", 8)
    monkeypatch.setattr(scan, "_AT_ONCE_BYTES", 12)
    monkeypatch.setattr(tokens, "CHUNK_TOKENS", 10)
