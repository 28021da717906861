"""Cut a file into pieces that can be decoded one by one, since none ends within a character or within `\\r\\n`."""

from collections.abc import Iterator
from typing import BinaryIO

PIECE_BYTES = 4 << 20
"""Bytes of a piece at most, so that its code points take 16 MB."""
_LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8 at most."""


def raw_pieces(file: BinaryIO, size: int | None = None) -> Iterator[bytes]:
    """Yield the rest of `file` in pieces of about `size` bytes, by default PIECE_BYTES.

    The pieces after one of them are the same for a file that is opened again and read from there.
    """
    size = size or PIECE_BYTES
    rest = b""
    while block := file.read(max(1, size - len(rest))):
        block = rest + block
        end = _last_border(block) if len(block) >= size else 0
        if end:
            yield block[:end]
        rest = block[end:]
    if rest:
        yield rest


def _last_border(block: bytes) -> int:
    """Return where the last piece of `block` ends that is complete whatever follows; 0 if there is none."""
    line = block.rfind(b"\n") + 1
    if line:
        return line
    end = _without_incomplete_character(block)
    return end - 1 if block.endswith(b"\r", 0, end) else end


def _without_incomplete_character(block: bytes) -> int:
    """Return the length of `block` without the beginning of a character at its end."""
    for back in range(1, min(_LONGEST_CHARACTER, len(block)) + 1):
        byte = block[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(block) - back if needed > back else len(block)
        if byte < 0x80:
            break
    return len(block)
