"""Decode bytes as UTF-8 text, or describe in one sentence what they are instead.

Only UTF-8 is read, because a wrong guess would cost hours of training on garbage; what else a text may be is guessed
for the sentence alone (guess_encoding.py). Compressed files are recognised by their first bytes.
"""

import codecs
import re

from tui_gpt.text.guess_encoding import cyrillic_encoding, double_byte_encoding, western_word

CONTROL_FRACTION = 0.02
"""Fraction of control characters above which bytes are not a text."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"
_SAMPLE_BYTES = 1 << 16
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
    _refuse_known_formats(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error) from error
    controls = _count_controls(data)
    if controls > CONTROL_FRACTION * len(data):
        raise _utf16(data) or _binary(f"{controls / len(data):.0%} of it are control characters")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


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
    return len(data) - len(data.translate(None, _CONTROLS))


def _binary(reason: str) -> BinaryError:
    return BinaryError(f"is not a text ({reason}): choose a plain text file in UTF-8")


def _conversion(encoding: str, reason: str) -> str:
    return f"is {encoding}, not UTF-8 ({reason}): convert it first, e.g. `{_iconv(encoding)}`"


def _iconv(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 FILE > NEW_FILE"


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> NotTextError:
    """Return the error for bytes that are not UTF-8, with the place of the first invalid one."""
    place = error.start + (3 if data.startswith(codecs.BOM_UTF8) else 0)
    line = data.count(b"\n", 0, place) + 1
    where = f"line {line:,}, byte {place + 1:,} is 0x{data[place]:02x}"
    if _count_controls(data):
        return _utf16(data) or _binary(f"control characters, and byte {place + 1:,} is not UTF-8")
    if error.reason == _TRUNCATED and not data[:place].isascii():
        return NotTextError(
            f"is cut off in the middle of its last character (byte {place + 1:,}): "
            f"get the whole file, or remove that character, e.g. `head -c {place} FILE > NEW_FILE`"
        )
    if _SURROGATE.match(data, place):
        return NotTextError(
            f"contains a lone surrogate, which is not a character ({where}): "
            "remove it, e.g. `iconv -c -f UTF-8 -t UTF-8 FILE > NEW_FILE`"
        )
    begin = data.rfind(b"\n", 0, place) + 1
    return _other_encoding(data[begin : begin + _SAMPLE_BYTES], where)


def _utf16(data: bytes) -> NotTextError | None:
    """Return the error for bytes that look like UTF-16: every other one is zero."""
    even, odd = data[:4096:2], data[1:4096:2]
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
