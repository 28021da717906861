"""Paths that users write."""

from pathlib import Path

import pytest

from tui_gpt.errors import UsageError
from tui_gpt.storage import crash, paths


def test_the_home_of_the_user_is_put_in_place_of_a_tilde() -> None:
    assert paths.expanded(Path("~/x")) == Path.home() / "x"


@pytest.mark.parametrize("path", ["~no-such-user/x", "a\0b"])
def test_what_cannot_be_a_path_is_a_usage_error(path: str) -> None:
    with pytest.raises(UsageError, match=r"write the path without ~|cannot be a path"):
        paths.real_path(Path(path))


def test_an_invalid_home_is_a_usage_error_and_stops_no_crash_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(paths.HOME_VARIABLE, "~no-such-user/x")
    with pytest.raises(UsageError, match="unknown user"):
        paths.runs_dir()
    assert crash.write_report(ZeroDivisionError("a bug")) is None
