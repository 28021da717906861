"""The framing of event files, against published values."""

import struct

import pytest

from tui_gpt.storage.export.protobuf import blob, double, integer, single, varint
from tui_gpt.storage.export.tfrecord import crc32c, masked_crc32c, record


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0x00000000),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_the_checksum_is_the_one_of_rfc_3720(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum


def test_a_record_is_framed_by_its_length_and_two_checksums() -> None:
    framed = record(b"abc")
    length, length_checksum = struct.unpack("<QI", framed[:12])
    assert (length, framed[12:15], len(framed)) == (3, b"abc", 19)
    assert length_checksum == masked_crc32c(framed[:8])
    assert struct.unpack("<I", framed[15:]) == (masked_crc32c(b"abc"),)


@pytest.mark.parametrize(
    ("number", "encoded"), [(0, b"\0"), (127, b"\x7f"), (150, b"\x96\x01"), (1 << 40, b"\x80" * 5 + b"\x20")]
)
def test_a_number_is_encoded_in_groups_of_seven_bits(number: int, encoded: bytes) -> None:
    assert varint(number) == encoded


def test_a_field_begins_with_its_number_and_wire_type() -> None:
    assert integer(2, 5) == b"\x10\x05"
    assert double(1, 1.0) == b"\x09" + struct.pack("<d", 1.0)
    assert single(2, 0.5) == b"\x15" + struct.pack("<f", 0.5)
    assert blob(3, "é") == b"\x1a\x02\xc3\xa9"


def test_a_number_out_of_single_precision_is_infinite() -> None:
    assert [struct.unpack("<f", single(2, number)[1:])[0] for number in (1e300, -1e300)] == [
        float("inf"),
        -float("inf"),
    ]
