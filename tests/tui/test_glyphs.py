"""Which terminals get charts in ASCII."""

import pytest

from tests.fakes import FakeSession
from tests.tui.driver import chart_text, running, start_and_hold
from tui_gpt.tui.glyphs import is_ascii_only


@pytest.mark.parametrize(
    ("environ", "encoding"),
    [
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, "utf-8"),
        ({"TERM": "xterm-256color", "LANG": "de_DE.ISO-8859-1"}, "iso-8859-1"),
        ({"TERM": "xterm", "LC_ALL": "C", "LANG": "en_US.UTF-8"}, "utf-8"),
        ({"TERM": "xterm", "TUI_GPT_ASCII": "1"}, "utf-8"),
        ({"TERM": "xterm"}, "no such encoding"),
    ],
)
def test_a_terminal_without_braille_or_utf_8_gets_ascii(environ: dict[str, str], encoding: str) -> None:
    assert is_ascii_only(environ, encoding)


@pytest.mark.parametrize(
    ("environ", "encoding"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}, "UTF8"),
        ({"TERM": "xterm-256color"}, "utf-8"),
        ({"TERM": "linux", "TUI_GPT_ASCII": "0"}, "utf-8"),
        ({"TERM": "screen", "LC_ALL": "", "LANG": "C.UTF-8"}, "utf-8"),
    ],
)
def test_other_terminals_get_braille(environ: dict[str, str], encoding: str) -> None:
    assert not is_ascii_only(environ, encoding)


async def test_the_chart_follows_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_ASCII", "1")
    async with running(FakeSession(hold_at=500)) as (pilot, main, session):
        await start_and_hold(pilot, main, session)
        assert chart_text(main).strip()
        assert chart_text(main).isascii()
