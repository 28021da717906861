"""The dialog for a path, which also takes a file that is dropped on the terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tui_gpt.errors import UsageError
from tui_gpt.storage.paths import expanded
from tui_gpt.text.dropped import dropped_paths
from tui_gpt.tui.dialogs import LineScreen

Result = TypeVar("Result")


def path_dialog(title: str, detail: str, path: str, use: Callable[[Path], Result]) -> LineScreen[Result]:
    """Return a dialog that is dismissed with what `use` returns of a path; its errors are shown in the dialog."""

    def check(text: str) -> Result:
        dropped = dropped_paths(text)
        typed = dropped[0] if dropped else text.strip()
        if not typed:
            raise UsageError("type the path of a file")
        return use(expanded(Path(typed)))

    return LineScreen(title, detail, path, check)
