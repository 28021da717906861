"""What to open the lesson with: a text and a screen, before the session and the widgets are there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui_gpt.config import DEFAULT_CORPUS

if TYPE_CHECKING:
    from tui_gpt.session import SessionLike
    from tui_gpt.tui.app.state import AppState
    from tui_gpt.tui.learn.lesson_screen import LessonScreen
    from tui_gpt.tui.torch_loader import TorchLoader

LAST_SCREEN = 9
"""Eight screens and the game."""


@dataclass(frozen=True)
class Lesson:
    """The lesson on a text."""

    source: str = DEFAULT_CORPUS
    """A file, a folder of text files, or the name of a text."""
    number: int | None = None
    """The screen to begin with, 1 to LAST_SCREEN; None is the one where the reader stopped."""

    def screen(self, session: "SessionLike", state: "AppState", loader: "TorchLoader | None") -> "LessonScreen":
        """Return the screen of the lesson. A loader that the app has already is shared."""
        from tui_gpt.tui.learn.lesson_screen import LessonScreen
        from tui_gpt.tui.learn.material import Material
        from tui_gpt.tui.torch_loader import DeferredSession, TorchLoader

        loader = loader or TorchLoader(session)
        return LessonScreen(Material(DeferredSession(session, loader), self.source), loader, state, self.number)
