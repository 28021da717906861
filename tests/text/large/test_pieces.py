"""Cutting a file into pieces that are decoded one by one."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.text.encodings import NotTextError, decode_pieces, decode_text
from tui_gpt.text.large.pieces import raw_pieces

SCRAPS = st.sampled_from(
    [b"a", b"\n", b"\r", b"\r\n", "é".encode(), "汉".encode(), "🙂".encode(), b"\xef\xbb\xbf", b"\0", b"\x1b", b"\xff",
     b"\xe9", b"\xf0\x9f", b"\x80", b"\xed\xa0\x80", b"BZh", b"%PDF-", b"word " * 9]
)  # fmt: skip
AWKWARD = st.lists(SCRAPS, max_size=40).map(b"".join)


def outcome(decode: object) -> str:
    """Return what a call returns, or the message of its NotTextError."""
    assert callable(decode)
    try:
        return f"text {decode()!r}"
    except NotTextError as error:
        return f"{type(error).__name__} {error}"


@settings(max_examples=60)
@given(data=AWKWARD, size=st.integers(8, 64))
def test_pieces_give_the_text_or_the_error_of_the_whole(data: bytes, size: int) -> None:
    """Whatever is at the border of two pieces: half a character, half a line end, half an invalid sequence."""
    in_pieces = outcome(lambda: "".join(decode_pieces(raw_pieces(io.BytesIO(data), size))))
    assert in_pieces == outcome(lambda: decode_text(data))


@settings(max_examples=30)
@given(data=AWKWARD, size=st.integers(1, 20))
def test_the_pieces_after_a_piece_are_the_same_when_read_from_there(data: bytes, size: int) -> None:
    pieces = list(raw_pieces(io.BytesIO(data), size))
    assert b"".join(pieces) == data
    for number in range(len(pieces)):
        file = io.BytesIO(data)
        file.seek(sum(map(len, pieces[:number])))
        assert list(raw_pieces(file, size)) == pieces[number:]


@pytest.mark.parametrize("line", ["x" * 50, "é" * 50, "🙂" * 50, "\r" * 50])
def test_a_line_longer_than_a_piece_is_cut_between_characters(line: str) -> None:
    pieces = list(raw_pieces(io.BytesIO(line.encode()), 9))
    assert len(pieces) > 5
    assert "".join(piece.decode() for piece in pieces) == line
