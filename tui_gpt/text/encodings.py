"""Bytes as text: UTF-8, or one sentence that says what they are instead.

Nothing but UTF-8 is read, because a wrong guess would cost hours of training on garbage. What else a text may be is
worked out for the sentence alone. An encoding is named only where its own statistics speak for it: most bytes mean
something in most encodings, so that they can be decoded says nothing. Compressed files are named by their first bytes.
"""

import codecs
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_PACKED = (
    (b"\x1f\x8b", "gzip", "gunzip -k FILE"),
    (b"BZh", "bzip2", "bunzip2 -k FILE"),
    (b"\xfd7zXZ\x00", "xz", "unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd FILE"),
    (b"PK\x03\x04", "zip", "unzip FILE"),
)
"""How a compressed file begins, and what unpacks it."""
_PDF = b"%PDF-"
CONTROL_SHARE = 0.02
"""A text has fewer control characters than this; a binary file has more, or is no UTF-8."""
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b")) + b"\x7f"
_SAMPLE_BYTES = 1 << 16
_CUT_OFF, _SURROGATE = "unexpected end of data", re.compile(rb"\xed[\xa0-\xbf]")


class NotTextError(Exception):
    """Some bytes are no text in UTF-8; the message completes "FILE …" and ends with the remedy."""


class BinaryError(NotTextError):
    """They are not meant to be a text."""


def decoded(data: bytes) -> str:
    """Return the text of UTF-8, without byte order mark and with `\\n` line ends. Raises NotTextError."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            raise NotTextError(_conversion(encoding, "it begins with that byte order mark"))
    for magic, kind, command in _PACKED:
        if data.startswith(magic):
            raise BinaryError(f"is compressed ({kind}): unpack it first, e.g. `{command}`")
    if data.startswith(_PDF):
        raise BinaryError("is a PDF document: take the text out first, e.g. `pdftotext FILE NEW_FILE`")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _why_not_utf8(data, error) from error
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def require_text(data: bytes) -> None:
    """Raise NotTextError where valid UTF-8 holds too many control characters for a text."""
    controls = _controls(data)
    if controls > CONTROL_SHARE * len(data):
        raise _wide(data) or _binary(f"{controls / len(data):.0%} of it are control characters")


def _controls(data: bytes) -> int:
    return len(data) - len(data.translate(None, _CONTROLS))


def _binary(reason: str) -> BinaryError:
    return BinaryError(f"is not a text ({reason}): choose a plain text file in UTF-8")


def _conversion(encoding: str, reason: str) -> str:
    return f"is {encoding}, not UTF-8 ({reason}): convert it first, e.g. `{_iconv(encoding)}`"


def _iconv(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 FILE > NEW_FILE"


def _why_not_utf8(data: bytes, error: UnicodeDecodeError) -> NotTextError:
    place = error.start + (3 if data.startswith(codecs.BOM_UTF8) else 0)
    line = data.count(b"\n", 0, place) + 1
    where = f"line {line:,}, byte {place + 1:,} is 0x{data[place]:02x}"
    if _controls(data):
        return _wide(data) or _binary(f"control characters, and byte {place + 1:,} is no UTF-8")
    if error.reason == _CUT_OFF and not data[:place].isascii():
        return NotTextError(
            f"is cut off in the middle of its last character (byte {place + 1:,}): "
            f"get all of it, or leave that character out, e.g. `head -c {place} FILE > NEW_FILE`"
        )
    if _SURROGATE.match(data, place):
        return NotTextError(
            f"holds a lone surrogate, which is no character ({where}): "
            "leave it out, e.g. `iconv -c -f UTF-8 -t UTF-8 FILE > NEW_FILE`"
        )
    return _other_encoding(data, place, where)


def _wide(data: bytes) -> NotTextError | None:
    """Return why a text of two bytes per character is none, when it looks like one: every other byte is zero."""
    even, odd = data[:4096:2], data[1:4096:2]
    for zeros, letters, encoding in ((odd, even, "UTF-16LE"), (even, odd, "UTF-16BE")):
        if zeros and zeros.count(0) > 0.8 * len(zeros) and letters.count(0) < 0.1 * len(letters):
            return NotTextError(_conversion(encoding, "every other byte is zero"))
    return None


def _other_encoding(data: bytes, place: int, where: str) -> NotTextError:
    begin = data.rfind(b"\n", 0, place) + 1
    sample = data[begin : begin + _SAMPLE_BYTES]
    encoding = _double_byte(sample) or _cyrillic(sample)
    if encoding is not None:
        return NotTextError(_conversion(encoding, where))
    if (word := _western_word(sample)) is not None:
        return NotTextError(
            f"is not UTF-8 ({where}), but could be WINDOWS-1252: if {word!r} is a word of it, "
            f"convert it with `{_iconv('WINDOWS-1252')}`"
        )
    return NotTextError(f"is not UTF-8 ({where}): find out its encoding and convert it, e.g. `{_iconv('ENCODING')}`")


@dataclass(frozen=True)
class _DoubleByte:
    """Where an encoding of East Asia has the characters that texts are made of."""

    common: Collection[int]
    """First bytes of its frequent characters, almost all of any text."""
    telling: Collection[int]
    """Those of the characters that no other language uses as often."""
    least_share: float
    """Of the telling ones."""


_DOUBLE_BYTES: Mapping[str, _DoubleByte] = MappingProxyType(
    {
        "CP949": _DoubleByte([0xA1, 0xA3, *range(0xB0, 0xC9)], range(0xB0, 0xC9), 0.5),
        "EUC-JP": _DoubleByte([0xA1, 0xA3, 0xA4, 0xA5, *range(0xB0, 0xD0)], (0xA4, 0xA5), 0.2),
        "CP932": _DoubleByte([*range(0x81, 0x84), *range(0x88, 0x98)], (0x82, 0x83), 0.2),
        "GB18030": _DoubleByte([0xA1, 0xA3, *range(0xB0, 0xD8)], range(0xB0, 0xD8), 0.5),
        "BIG5": _DoubleByte([0xA1, *range(0xA4, 0xC7)], range(0xA4, 0xC7), 0.5),
    }
)
"""The first that fits is right: what is frequent in Korean is frequent in GB18030 too, but not the other way round."""
_COMMON_SHARE = 0.9


def _double_byte(sample: bytes) -> str | None:
    """Return the encoding of East Asia in which almost all of `sample` are frequent characters."""
    for encoding, table in _DOUBLE_BYTES.items():
        text = _read_as(encoding, sample)
        leads = [character.encode(encoding)[0] for character in text if not character.isascii()]
        common, telling = (sum(lead in group for lead in leads) for group in (table.common, table.telling))
        if leads and common >= _COMMON_SHARE * len(leads) and telling >= table.least_share * len(leads):
            return encoding
    return None


def _read_as(encoding: str, sample: bytes) -> str:
    """Return the text of `sample`, which may end in the middle of a character; empty where it is none."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return ""


_CYRILLIC = re.compile(r"[А-Яа-яЁёІіЇїЄєҐґЎў«»“”„’–—…№\xa0]+")
_CYRILLIC_VOWELS = re.compile(r"[аеиоуыюяії]")
"""Lower case: KOI8-R and WINDOWS-1251 have each other's letters in the other case."""


def _cyrillic(sample: bytes) -> str | None:
    """Return the encoding in which `sample` is mostly Cyrillic, with as many vowels as such a language has."""
    for encoding in ("WINDOWS-1251", "KOI8-R"):
        text = _read_as(encoding, sample)
        letters = sum(map(str.isalpha, text))
        strange = "".join(character for character in text if not character.isascii())
        vowels = len(_CYRILLIC_VOWELS.findall(strange))
        if _CYRILLIC.fullmatch(strange) and len(strange) > 0.7 * letters and vowels > 0.25 * len(strange):
            return encoding
    return None


_WESTERN = re.compile(r"[À-ÖØ-öø-ÿŒœŠšŽžŸ€£§°·ºª¿¡«»‹›‘’“”„–—…\xa0]+")


def _western_word(sample: bytes) -> str | None:
    """Return the first accented word of a text that can be WINDOWS-1252: letters of Western Europe, few of them
    accented."""
    text = _read_as("WINDOWS-1252", sample)
    strange = "".join(character for character in text if not character.isascii())
    letters = sum(map(str.isalpha, text))
    if not _WESTERN.fullmatch(strange) or sum(map(str.isalpha, strange)) > 0.3 * letters:
        return None
    return next((word for word in re.findall(r"\w+", text) if not word.isascii()), strange[0])
