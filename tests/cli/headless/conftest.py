"""A broken stdout is replaced for good, which would be pytest's own here."""

import pytest

from tui_gpt.cli.headless import event_writer, generate


@pytest.fixture(autouse=True)
def keep_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (generate, event_writer):
        monkeypatch.setattr(module, "detach_stdout", lambda: None)
