"""Decode bytes as UTF-8 text, or describe in one sentence what they are instead.

Only UTF-8 is read, because a wrong guess would cost hours of training on garbage; what else a text may be is guessed
for the sentence alone (guess_encoding.py). Compressed files are recognised by their first bytes.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tui_gpt.text.guess_encoding import cyrillic_encoding, double_byte_encoding, western_word

CONTROL_FRACTION = 0.02
"""Fraction of control characters above which bytes are not a text."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"
_SAMPLE_BYTES = 1 << 16
_HEAD_BYTES = 4096
_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_COMPRESSED = (
    (b"\x1f\x8b", "gzip", "gunzip -k FILE"),
    (b"BZh", "bzip2", "bunzip2 -k FILE"),
    (b"\xfd7zXZ\x00", "xz", "unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd FILE"),
    (b"PK\x03\x04", "zip", "unzip FILE"),
)
"""The first bytes of compressed files, and the commands that decompress them."""
_PDF = b"%PDF-"
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf]")
_TRUNCATED = "unexpected end of data"
"""The reason that Python gives for it."""


class NotTextError(Exception):
    """The bytes are not UTF-8 text; the message completes "FILE …" and ends with the remedy."""


class BinaryError(NotTextError):
    """The bytes look binary."""


def decode_text(data: bytes) -> str:
    """Return the text of UTF-8 `data`, without byte order mark and with `\\n` line ends. Raises NotTextError."""
    return "".join(decode_pieces([data]))


def decode_pieces(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of each piece of a UTF-8 text; together they are that of the joined pieces in `decode_text`.

    A piece ends neither within a character nor within `\\r\\n`. Raises NotTextError, for too many control characters
    after the last piece.
    """
    remaining = iter(pieces)
    seen = _Seen()
    for piece in remaining:
        if not seen.size:
            _refuse_known_formats(piece)
        try:
            text = decode_valid(piece, is_first=not seen.size)
        except UnicodeDecodeError as error:
            raise _not_utf8(seen, piece, error, remaining) from error
        seen.add(piece)
        yield text
    if seen.controls > CONTROL_FRACTION * seen.size:
        raise _utf16(seen.head) or _binary(f"{seen.controls / seen.size:.0%} of it are control characters")


def decode_valid(piece: bytes, *, is_first: bool) -> str:
    """Return the text of a piece of a UTF-8 text, with `\\n` line ends; the first one may have a byte order mark.

    Raises UnicodeDecodeError.
    """
    text = piece.decode("utf-8-sig" if is_first else "utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


@dataclass
class _Seen:
    """What an error message needs to know of the pieces before the one that is not UTF-8."""

    size: int = 0
    """Bytes."""
    lines: int = 0
    controls: int = 0
    is_ascii: bool = True
    head: bytes = b""
    """The first bytes of the text."""
    open_line: bytes = b""
    """The first bytes of the line in which the last piece ends."""

    def add(self, piece: bytes) -> None:
        """Count a piece."""
        self.head += piece[: _HEAD_BYTES - len(self.head)]
        self.size += len(piece)
        self.lines += piece.count(b"\n")
        self.controls += _count_controls(piece)
        self.is_ascii = self.is_ascii and piece.isascii()
        begin = piece.rfind(b"\n") + 1
        kept = b"" if begin else self.open_line
        self.open_line = kept + piece[begin : begin + _SAMPLE_BYTES - len(kept)]


def explain_decoding(data: bytes) -> str:
    """Return in words how `decode_text` reads `data`: the encoding, why, and what is replaced."""
    has_bom = data.startswith(codecs.BOM_UTF8)
    why = (
        "it begins with that byte order mark, which is left out"
        if has_bom
        else "only ASCII characters, which are the same in it"
        if data.isascii()
        else "every byte sequence in it is valid"
    )
    windows = data.count(b"\r\n")
    returns = data.count(b"\r") - windows
    return "".join([f"UTF-8: {why}", _replaced("\\r\\n", windows), _replaced("\\r", returns)])


def _replaced(line_end: str, count: int) -> str:
    return f"; line ends {line_end} are read as \\n ({count:,})" if count else ""


def _refuse_known_formats(data: bytes) -> None:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            raise NotTextError(_conversion(encoding, "it begins with that byte order mark"))
    for magic, kind, command in _COMPRESSED:
        if data.startswith(magic):
            raise BinaryError(f"is compressed ({kind}): decompress it first, e.g. `{command}`")
    if data.startswith(_PDF):
        raise BinaryError("is a PDF document: extract its text first, e.g. `pdftotext FILE NEW_FILE`")


def _count_controls(data: bytes) -> int:
    absent = _CONTROLS.translate(None, data)  # one pass over `data` that copies nothing
    return 0 if len(absent) == len(_CONTROLS) else len(data) - len(data.translate(None, _CONTROLS))


def _binary(reason: str) -> BinaryError:
    return BinaryError(f"is not a text ({reason}): choose a plain text file in UTF-8")


def _conversion(encoding: str, reason: str) -> str:
    return f"is {encoding}, not UTF-8 ({reason}): convert it first, e.g. `{_iconv(encoding)}`"


def _iconv(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 FILE > NEW_FILE"


def _not_utf8(seen: _Seen, piece: bytes, error: UnicodeDecodeError, later: Iterator[bytes]) -> NotTextError:
    """Return the error for `piece`, which is not UTF-8, with the place of the first invalid byte."""
    at = error.start + (0 if seen.size or not piece.startswith(codecs.BOM_UTF8) else len(codecs.BOM_UTF8))
    place = seen.size + at
    number = seen.lines + piece.count(b"\n", 0, at) + 1
    where = f"line {number:,}, byte {place + 1:,} is 0x{piece[at]:02x}"
    is_ascii = seen.is_ascii and piece[:at].isascii()
    begin = piece.rfind(b"\n", 0, at) + 1
    line = (b"" if begin else seen.open_line) + piece[begin : begin + _SAMPLE_BYTES]
    seen.add(piece)
    for data in later:
        seen.add(data)
        line += data[: max(0, _SAMPLE_BYTES - len(line))]
    if seen.controls:
        return _utf16(seen.head) or _binary(f"control characters, and byte {place + 1:,} is not UTF-8")
    if error.reason == _TRUNCATED and not is_ascii:
        return NotTextError(
            f"is cut off in the middle of its last character (byte {place + 1:,}): "
            f"get the whole file, or remove that character, e.g. `head -c {place} FILE > NEW_FILE`"
        )
    if _SURROGATE.match(piece, at):
        return NotTextError(
            f"contains a lone surrogate, which is not a character ({where}): "
            "remove it, e.g. `iconv -c -f UTF-8 -t UTF-8 FILE > NEW_FILE`"
        )
    return _other_encoding(line[:_SAMPLE_BYTES], where)


def _utf16(data: bytes) -> NotTextError | None:
    """Return the error for bytes that look like UTF-16: every other one is zero."""
    even, odd = data[:_HEAD_BYTES:2], data[1:_HEAD_BYTES:2]
    for zeros, letters, encoding in ((odd, even, "UTF-16LE"), (even, odd, "UTF-16BE")):
        if zeros and zeros.count(0) > 0.8 * len(zeros) and letters.count(0) < 0.1 * len(letters):
            return NotTextError(_conversion(encoding, "every other byte is zero"))
    return None


def _other_encoding(sample: bytes, where: str) -> NotTextError:
    """Return the error for a text in another encoding; `sample` begins with the line of the first invalid byte."""
    encoding = double_byte_encoding(sample) or cyrillic_encoding(sample)
    if encoding is not None:
        return NotTextError(_conversion(encoding, where))
    if (word := western_word(sample)) is not None:
        return NotTextError(
            f"is not UTF-8 ({where}), but could be WINDOWS-1252: if {word!r} is a word of it, "
            f"convert it with `{_iconv('WINDOWS-1252')}`"
        )
    return NotTextError(f"is not UTF-8 ({where}): find out its encoding and convert it, e.g. `{_iconv('ENCODING')}`")
