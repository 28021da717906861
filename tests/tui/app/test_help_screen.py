"""The help page fits its dialog."""

import pytest

from tui_gpt.tui.app.help_screen import help_text

TEXT_WIDTH = 64
"""Cells in a row of the dialog on a terminal with 80 columns."""


@pytest.mark.parametrize("tab", ["train", "generate", "runs"])
def test_no_line_is_wrapped_at_80_columns(tab: str) -> None:
    assert [line for line in help_text(tab).plain.split("\n") if len(line) > TEXT_WIDTH] == []
