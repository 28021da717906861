"""A folder of documents."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of documents of several lengths, which have blank lines too."""
    place = tmp_path / "letters"
    place.mkdir()
    for number in range(12):
        (place / f"{number:02}.txt").write_text(f"letter {number} begins\n\n" + "dear reader, " * (3 + number % 4))
    return place
