"""The full-screen app. Nothing in this package imports torch: it holds a `SessionLike` and draws what that yields."""

import os

_REMOTE_FRAMES_PER_SECOND = "20"


def _spare_a_slow_line() -> None:
    """Over SSH, fewer frames and no animations; Textual reads these variables when it is first imported."""
    if "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", _REMOTE_FRAMES_PER_SECOND)
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


_spare_a_slow_line()
