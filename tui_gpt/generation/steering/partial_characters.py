"""Characters in UTF-8 that are not complete yet: what a token of bytes completes, and what a beginning can become."""

import codecs

_LOWEST = {2: 0x80, 3: 0x800, 4: 0x10000}
"""The first code point with that many bytes."""
_FIRST_SURROGATE = 0xD800


def decoded(data: bytes) -> tuple[str, bytes] | None:
    """Return the characters that `data` holds, and the bytes of an incomplete one at its end; None if it cannot be the
    beginning of a text in UTF-8."""
    try:
        text, used = codecs.utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return None
    return text, data[used:]


def possible_code_points(beginning: bytes) -> range:
    """Return the code points whose UTF-8 begins with these bytes: the first one to three of a character, as `decoded`
    returns them."""
    size = 2 if beginning[0] < 0xE0 else 3 if beginning[0] < 0xF0 else 4
    fixed = beginning[0] & (0x7F >> size)
    for byte in beginning[1:]:
        fixed = fixed << 6 | byte & 0x3F
    free = 6 * (size - len(beginning))
    first = max(fixed << free, _LOWEST[size])
    end = min((fixed + 1) << free, 0x110000)
    return range(first, min(end, _FIRST_SURROGATE) if first < _FIRST_SURROGATE else end)
