"""Files of JSON lines survive torn and foreign lines."""

import io
import json
from pathlib import Path

import pytest

from tui_gpt.storage.json_lines import append_lines, open_to_append, parsed_lines, whole_lines
from tui_gpt.storage.plain_files import UnusableFileError


def test_a_line_appended_after_a_torn_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for lines in (b"1\n2", b"3\n"):
        with open_to_append(path) as descriptor:
            append_lines(descriptor, lines)
    assert path.read_bytes() == b"1\n2\n3\n"


def test_nothing_is_appended_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("precious")
    (tmp_path / "log").symlink_to(tmp_path / "notes")
    with pytest.raises(UnusableFileError), open_to_append(tmp_path / "log"):
        pass
    assert (tmp_path / "notes").read_text() == "precious"


def test_lines_that_are_too_long_are_skipped() -> None:
    file = io.BytesIO(b"1\n" + b"x" * 100 + b"\n22\n" + b"y" * 100)
    assert list(whole_lines(file, 10)) == [b"1\n", b"22\n"]


def test_lines_that_cannot_be_parsed_are_skipped() -> None:
    lines = [b"1\n", b"{\n", b"\xff\n", b"2\n"]
    assert list(parsed_lines(lines, json.loads)) == [(b"1\n", 1), (b"2\n", 2)]
