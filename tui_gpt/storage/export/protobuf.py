"""Encode the few kinds of protocol buffer fields that TensorBoard's events consist of.

https://protobuf.dev/programming-guides/encoding/
"""

import struct

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
"""Wire types."""


def varint(number: int) -> bytes:
    """Return a non-negative integer in groups of seven bits, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _key(field: int, wire_type: int) -> bytes:
    return varint(field << 3 | wire_type)


def integer(field: int, number: int) -> bytes:
    """Return a field of a non-negative integer or an enumeration."""
    return _key(field, _VARINT) + varint(number)


def double(field: int, number: float) -> bytes:
    """Return a field in double precision."""
    return _key(field, _FIXED64) + struct.pack("<d", number)


def single(field: int, number: float) -> bytes:
    """Return a field in single precision; a number out of its range is infinite."""
    try:
        packed = struct.pack("<f", number)
    except OverflowError:
        packed = struct.pack("<f", float("inf") if number > 0 else float("-inf"))
    return _key(field, _FIXED32) + packed


def blob(field: int, data: bytes | str) -> bytes:
    """Return a field of bytes, text or an encoded message."""
    encoded = data.encode("utf-8", "replace") if isinstance(data, str) else data
    return _key(field, _BYTES) + varint(len(encoded)) + encoded
