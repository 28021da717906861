"""Guess the encoding of a text that is not UTF-8.

That bytes can be decoded proves nothing, as most bytes mean something in most encodings. An encoding is named only
where the characters that it gives are those that texts in its languages consist of.
"""

import codecs
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_MIN_COMMON_FRACTION = 0.9
"""Fraction of the characters of a text in an East Asian encoding that are common ones."""
_CYRILLIC = re.compile(r"[А-Яа-яЁёІіЇїЄєҐґЎў«»“”„’–—…№\xa0]+")
_CYRILLIC_VOWELS = re.compile(r"[аеиоуыюяії]")
"""Lower case, because KOI8-R and WINDOWS-1251 have each other's letters in the other case."""
_WESTERN = re.compile(r"[À-ÖØ-öø-ÿŒœŠšŽžŸ€£§°·ºª¿¡«»‹›‘’“”„–—…\xa0]+")


@dataclass(frozen=True)
class _DoubleByte:
    """The first bytes of the characters that texts in an East Asian encoding consist of."""

    common: Collection[int]
    """Of the frequent characters."""
    typical: Collection[int]
    """Of the characters that are frequent in this language only."""
    min_typical_fraction: float


_DOUBLE_BYTES: Mapping[str, _DoubleByte] = MappingProxyType(
    {
        "CP949": _DoubleByte([0xA1, 0xA3, *range(0xB0, 0xC9)], range(0xB0, 0xC9), 0.5),
        "EUC-JP": _DoubleByte([0xA1, 0xA3, 0xA4, 0xA5, *range(0xB0, 0xD0)], (0xA4, 0xA5), 0.2),
        "CP932": _DoubleByte([*range(0x81, 0x84), *range(0x88, 0x98)], (0x82, 0x83), 0.2),
        "GB18030": _DoubleByte([0xA1, 0xA3, *range(0xB0, 0xD8)], range(0xB0, 0xD8), 0.5),
        "BIG5": _DoubleByte([0xA1, *range(0xA4, 0xC7)], range(0xA4, 0xC7), 0.5),
    }
)
"""The first match is right: what is frequent in Korean is frequent in GB18030 too, but not the other way round."""


def double_byte_encoding(sample: bytes) -> str | None:
    """Return the East Asian encoding in which almost all of `sample` are common characters."""
    for encoding, table in _DOUBLE_BYTES.items():
        text = _decode(encoding, sample)
        leads = [character.encode(encoding)[0] for character in text if not character.isascii()]
        common, typical = (sum(lead in group for lead in leads) for group in (table.common, table.typical))
        is_common = common >= _MIN_COMMON_FRACTION * len(leads)
        if leads and is_common and typical >= table.min_typical_fraction * len(leads):
            return encoding
    return None


def cyrillic_encoding(sample: bytes) -> str | None:
    """Return the encoding in which `sample` is mostly Cyrillic, with as many vowels as such a language has."""
    for encoding in ("WINDOWS-1251", "KOI8-R"):
        text = _decode(encoding, sample)
        letters = sum(map(str.isalpha, text))
        non_ascii = _non_ascii(text)
        vowels = len(_CYRILLIC_VOWELS.findall(non_ascii))
        if _CYRILLIC.fullmatch(non_ascii) and len(non_ascii) > 0.7 * letters and vowels > 0.25 * len(non_ascii):
            return encoding
    return None


def western_word(sample: bytes) -> str | None:
    """Return the first accented word of a text that may be WINDOWS-1252, for a person to judge by.

    Such a text has Western European letters, few of them accented; but other encodings give such letters too.
    """
    text = _decode("WINDOWS-1252", sample)
    non_ascii = _non_ascii(text)
    letters = sum(map(str.isalpha, text))
    if not _WESTERN.fullmatch(non_ascii) or sum(map(str.isalpha, non_ascii)) > 0.3 * letters:
        return None
    return next((word for word in re.findall(r"\w+", text) if not word.isascii()), non_ascii[0])


def _decode(encoding: str, sample: bytes) -> str:
    """Return the text of `sample`, which may end in the middle of a character; empty if it is invalid."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return ""


def _non_ascii(text: str) -> str:
    return "".join(character for character in text if not character.isascii())
