"""The report of an unexpected error."""

from pathlib import Path

import pytest

from tests.cli_helpers import progress
from tui_gpt import __version__, crash, paths
from tui_gpt.events import Sampled


def failing() -> ZeroDivisionError:
    secret_corpus = "the whole diary"
    try:
        print(len(secret_corpus) / 0)
    except ZeroDivisionError as error:
        return error
    raise AssertionError("unreachable")


def test_a_report_tells_version_platform_traceback_and_last_events() -> None:
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
    assert '"step": 7, "characters": 12' in text


def test_old_reports_make_room_for_new_ones() -> None:
    paths.logs_dir().mkdir(parents=True)
    for number in range(30):
        (paths.logs_dir() / f"crash-20000101-0000{number:02}-000000.txt").write_text("old")
    newest = crash.write_report(failing())
    kept = sorted(paths.logs_dir().iterdir())
    assert len(kept) == 20
    assert kept[-1] == newest


def test_a_report_that_cannot_be_kept_is_not_another_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("TUI_GPT_HOME", str(blocked))
    assert crash.write_report(failing()) is None
    assert "could not be written" in crash.sentence(None)
