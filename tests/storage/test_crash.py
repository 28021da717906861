"""The report of an unexpected error."""

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from tests.fakes import progress
from tui_gpt import __version__
from tui_gpt.errors import StorageError
from tui_gpt.events import EVENT_TYPES, Initialized, Sampled
from tui_gpt.storage import crash, paths


def failing() -> ZeroDivisionError:
    secret_corpus = "the whole diary"
    try:
        print(len(secret_corpus) / 0)
    except ZeroDivisionError as error:
        return error
    raise AssertionError("unreachable")


def test_a_report_has_version_platform_traceback_and_last_events() -> None:
    path = crash.write_report(failing(), [progress(step) for step in range(50)])
    assert path is not None
    text = path.read_text()
    assert path.parent == paths.logs_dir()
    assert f"tui-gpt {__version__}" in text
    assert "Python 3." in text
    assert "ZeroDivisionError" in text
    assert "test_crash.py" in text
    assert '"step": 49' in text
    assert '"step": 29' not in text


def test_a_report_holds_no_text_of_the_corpus() -> None:
    text = crash.report(failing(), [Sampled(step=7, prompt="dear", text="diary, today")])
    assert "dear" not in text
    assert "today" not in text
    assert '"step": 7, "prompt_characters": 4, "text_characters": 12' in text


def test_the_messages_of_other_errors_may_quote_the_text_and_are_left_out() -> None:
    secret = "yraid"[::-1]  # so that the line of this file that is in the traceback does not quote it

    def fail() -> None:
        try:
            raise KeyError(secret)
        except KeyError as error:
            error.add_note(secret)
            wrong = ValueError(f"cannot encode {error}")
            raise ExceptionGroup(secret, [wrong, OSError(28, secret, secret)]) from error

    with pytest.raises(ExceptionGroup) as caught:
        fail()
    text = crash.report(caught.value)
    assert secret not in text
    for kind in ("KeyError", "ValueError", "ExceptionGroup", "OSError: ENOSPC"):
        assert kind in text


def test_the_message_of_an_error_of_this_program_is_kept() -> None:
    assert "StorageError: the disk is full" in crash.report(StorageError("the disk is full"))


def test_characters_of_the_text_in_an_event_are_only_counted() -> None:
    text = crash.report(failing(), [Initialized(step=0, source="shipped", new_characters="äöü")])
    assert "ä" not in text
    assert '"source": "shipped", "new_characters_characters": 3' in text


def test_every_text_field_of_every_event_is_classified() -> None:
    """A new text field has to be added to one of the two lists."""
    harmless = {
        "device",
        "precision",
        "preset",
        "path",
        "setting",
        "value",
        "reason",
        "source",
        "origin",
        "problem",
        "request",
    }
    for kind in EVENT_TYPES.values():
        hints = get_type_hints(kind)
        texts = {name for name, hint in hints.items() if name != "type" and (hint is str or str in get_args(hint))}
        assert texts - harmless == set(crash._TEXTS.get(kind.type, ()))


def test_old_reports_are_removed() -> None:
    paths.logs_dir().mkdir(parents=True)
    for number in range(30):
        (paths.logs_dir() / f"crash-20000101-0000{number:02}-000000.txt").write_text("old")
    newest = crash.write_report(failing())
    kept = sorted(paths.logs_dir().iterdir())
    assert len(kept) == 20
    assert kept[-1] == newest


def test_a_report_that_cannot_be_written_raises_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("TUI_GPT_HOME", str(blocked))
    assert crash.write_report(failing()) is None
    assert "could not be written" in crash.sentence(None)
