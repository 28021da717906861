"""Paths that a terminal pastes when files are dropped on it."""

from collections.abc import Callable

import pytest

from tui_gpt.text.dropped import LIMIT, dropped_paths

POEM, PLAYS, QUOTE = "/home/ada/a poem.txt", "/home/ada/plays", "/home/ada/it's.txt"


def on_disk(*paths: str) -> Callable[[str], bool]:
    return set(paths).__contains__


@pytest.mark.parametrize(
    ("pasted", "paths"),
    [
        (PLAYS, (PLAYS,)),
        (f"{POEM}\n", (POEM,)),
        (f"'{POEM}' ", (POEM,)),
        (f'"{POEM}"', (POEM,)),
        ("/home/ada/a\\ poem.txt", (POEM,)),
        ("file:///home/ada/a%20poem.txt", (POEM,)),
        ("file://localhost/home/ada/a%20poem.txt\r\n", (POEM,)),
        (f"'{POEM}' '{PLAYS}'", (POEM, PLAYS)),
        (f"/home/ada/a\\ poem.txt {PLAYS}", (POEM, PLAYS)),
        (f"{POEM}\n{PLAYS}\n", (POEM, PLAYS)),
        ("file:///home/ada/a%20poem.txt\nfile:///home/ada/plays", (POEM, PLAYS)),
        ("/home/ada/it\\'s.txt", (QUOTE,)),
        ("'/home/ada/it'\\''s.txt'", (QUOTE,)),
        (QUOTE, (QUOTE,)),
        (f"{PLAYS} {PLAYS}", (PLAYS,)),
    ],
)
def test_dropped_files_are_found_however_the_terminal_writes_them(pasted: str, paths: tuple[str, ...]) -> None:
    assert dropped_paths(pasted, on_disk(POEM, PLAYS, QUOTE)) == paths


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "  \n",
        "To be, or not to be",
        "/home/ada/gone.txt",
        f"{PLAYS} and more",
        "poem.txt",
        "it's\0",
        "file://[",
        f"file://otherhost{PLAYS}",
        '"',
    ],
)
def test_any_other_text_is_no_path(pasted: str) -> None:
    """Even if its words are names of files in the current folder."""
    assert dropped_paths(pasted, on_disk(PLAYS, "poem.txt", "To")) == ()


def test_a_long_text_is_not_searched_for_paths() -> None:
    assert LIMIT <= 8_000  # read on the event loop
    assert dropped_paths("/x" * LIMIT, lambda path: True) == ()


def test_a_path_that_no_file_can_have_is_no_path() -> None:
    assert dropped_paths("/" + "x" * 5_000) == ()
