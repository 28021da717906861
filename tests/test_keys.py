"""The table of keys, their names, and what a user may put in their place."""

import re

import pytest
from textual.keys import _character_to_key

from tui_gpt.errors import ConfigError
from tui_gpt.key_table import HELP_SECTIONS, KEY_ACTIONS, PLACES_TOGETHER
from tui_gpt.keys import DEFAULT_KEYMAP, Keymap, checked_keys, key_names, name_of_character, shown_key


def test_characters_are_named_as_by_textual() -> None:
    for code in range(33, 127):
        assert name_of_character(chr(code)) == _character_to_key(chr(code))


def test_an_id_is_used_once_and_its_place_is_known() -> None:
    ids = [action.id for section in HELP_SECTIONS for row in section.rows for action in row.actions]
    assert len(ids) == len(set(ids))
    assert {action.place for action in KEY_ACTIONS.values()} == frozenset().union(*PLACES_TOGETHER)


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ("space", ("space",)),
        ("+, comma", ("plus", "comma")),
        ("R", ("R", "shift+r")),
        ("shift+r", ("R", "shift+r")),
        ("Shift+Ctrl+K", ("ctrl+shift+k",)),
        ("ä", ("ä",)),
    ],
)
def test_keys_are_written_as_people_write_them(keys: str, names: tuple[str, ...]) -> None:
    assert key_names(keys) == names


@pytest.mark.parametrize("keys", ["", "spcae", "ctrl+", "a,", "strg+k", "ctrl+nothing"])
def test_what_is_not_a_key_is_refused(keys: str) -> None:
    with pytest.raises(ConfigError, match=re.escape("run.pause cannot be")):
        checked_keys(KEY_ACTIONS["run.pause"], keys)


@pytest.mark.parametrize("name", ["prompt.score", "generate.model", "app.palette", "dialog.cancel", "runs.clear"])
def test_a_character_is_no_key_where_text_is_typed(name: str) -> None:
    with pytest.raises(ConfigError, match="X types a character"):
        checked_keys(KEY_ACTIONS[name], "X")
    assert checked_keys(KEY_ACTIONS[name], "ctrl+x") == "ctrl+x"


def test_keys_are_shown_as_they_are_labelled() -> None:
    shown = [shown_key(key) for key in ("ctrl+k", "f6", "shift+left", "plus", "ctrl+underscore", "escape", "R")]
    assert shown == ["Ctrl+K", "F6", "Shift+←", "+", "Ctrl+_", "Esc", "R"]
    assert DEFAULT_KEYMAP.all_shown("card.repeat") == ["R"]
    assert DEFAULT_KEYMAP.fill("{run.pause} pauses, {form.start} {starts}") == "p pauses, s {starts}"


@pytest.mark.parametrize(
    ("chosen", "clash"),
    [
        ({"run.pause": "x"}, "run.pause cannot be 'x', which is the key of run.stop"),
        ({"run.pause": "space,0"}, "run.pause cannot be '0', which is the key of chart.whole"),
        ({"data.add": "q"}, "data.add cannot be 'q', which is the key of app.quit"),
        ({"card.undo": "ctrl+c"}, "card.undo cannot be 'ctrl+c', which is the key of generate.stop"),
        ({"data.add": "f3"}, "data.add cannot be 'f3', which is the key of tab.generate"),
    ],
)
def test_a_key_that_clashes_in_its_place_is_refused(chosen: dict[str, str], clash: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(clash)):
        Keymap(chosen)


@pytest.mark.parametrize(
    "chosen",
    [
        {"run.pause": "x", "run.stop": "p"},
        {"form.start": "a", "form.all_settings": "s"},
        {"data.add": "p"},
        {name: action.keys for name, action in KEY_ACTIONS.items()},
    ],
)
def test_keys_may_be_exchanged_and_used_again_in_another_place(chosen: dict[str, str]) -> None:
    keymap = Keymap(chosen)
    assert all(keymap.of(name) == key_names(keys) for name, keys in chosen.items())
