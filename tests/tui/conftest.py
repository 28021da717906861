"""What every test of the interface gets: style sheets that are parsed once per process, not once per app."""

from collections.abc import Hashable
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from tui_gpt.tui.generate.prompt import preview

_parsed: dict[Hashable, list[RuleSet]] = {}
_parse_rules = Stylesheet._parse_rules


def parse_once(sheet: Stylesheet, *source: Any, **options: Any) -> list[RuleSet]:
    """Return the rules of a style sheet, which are only read once they are parsed."""
    key = (*source, frozenset(options.items()), frozenset(sheet._variables.items()))
    if key not in _parsed:
        _parsed[key] = _parse_rules(sheet, *source, **options)
    return _parsed[key]


@pytest.fixture(autouse=True)
def style_sheets_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_once)


@pytest.fixture(autouse=True)
def no_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """No preview of the prompt appears in a test that does not set a shorter pause: when it does depends on time."""
    monkeypatch.setattr(preview, "PAUSE_SECONDS", 1e6)
