"""A record that does not fit its class exactly is refused with a sentence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tui_gpt.errors import ConfigError
from tui_gpt.records import check_value, field_types, parse_object, read_record


@dataclass(frozen=True)
class Part:
    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ConfigError("size is negative")


@dataclass(frozen=True)
class Record:
    kind: Literal["a", "b"]
    ratio: float | None
    part: Part
    parts: Mapping[str, Part]
    pairs: tuple[tuple[int, str], ...] = ()


FIELDS: dict[str, Any] = {
    "kind": "a",
    "ratio": 1,
    "part": {"size": 2},
    "parts": {"x": {"size": 3}},
    "pairs": [[1, "y"]],
}


def test_a_record_is_built_with_its_parts() -> None:
    record = read_record(Record, FIELDS)
    assert record == Record("a", 1.0, Part(2), {"x": Part(3)}, ((1, "y"),))
    assert type(record.ratio) is float


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "c"}, "kind cannot be 'c': it takes one of a, b"),
        ({"kind": ["a"]}, "kind cannot be"),
        ({"ratio": True}, "ratio cannot be True: it takes a number or nothing"),
        ({"ratio": "1"}, "ratio cannot be '1'"),
        ({"ratio": math.nan}, "ratio cannot be nan"),
        ({"ratio": math.inf}, "ratio cannot be inf"),
        ({"ratio": 2**53}, "ratio cannot be"),
        ({"part": None}, "part cannot be None: it takes an object"),
        ({"part": {"size": 2**64}}, "size cannot be"),
        ({"part": {"size": 1.0}}, "size cannot be 1.0: it takes a whole number"),
        ({"part": {"size": -1}}, "size is negative"),
        ({"part": {}}, "the field 'size' is missing"),
        ({"part": {"size": 1, "more": 2}}, "unknown field 'more'"),
        ({"parts": [1]}, "parts cannot be"),
        ({"parts": {"x": 1}}, "parts x cannot be 1"),
        ({"pairs": {}}, "pairs cannot be {}: it takes a list"),
        ({"pairs": [[1]]}, "pairs cannot be"),
        ({"pairs": [[1, 2]]}, "pairs cannot be 2: it takes a text"),
        ({"ratio": "x" * 1_000_000}, "ratio cannot be 'x{79}: it takes"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=f"^{sentence}"):
        read_record(Record, FIELDS | change)


def test_a_missing_field_is_refused_unless_the_record_is_partial() -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "pairs"}
    with pytest.raises(ConfigError, match="'pairs' is missing") as caught:
        read_record(Record, fields)
    assert caught.value.setting == "pairs"
    assert read_record(Record, fields, partial=True).pairs == ()


def test_an_error_names_its_field() -> None:
    with pytest.raises(ConfigError) as caught:
        check_value("ratio", "many", field_types(Record)["ratio"])
    assert caught.value.setting == "ratio"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("null", "no JSON object"),
        ("[]", "no JSON object"),
        ('{"a": NaN}', "out of range"),
        ('{"a": -Infinity}', "out of range"),
        ('{"a": ' + "9" * 5_000 + "}", "out of range"),
        ('{"a":' * 100_000, "nested too deeply"),
        (r'{"a": "\ud800"}', "surrogates not allowed"),
    ],
)
def test_text_that_is_not_a_json_object_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_object(text)


def test_escaped_characters_beyond_the_basic_plane_are_read() -> None:
    assert parse_object(r'{"a": "\ud83d\ude42"}') == {"a": "🙂"}
