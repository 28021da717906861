"""The full-screen app. Nothing in this package imports torch: it holds a `SessionLike` and draws what that yields."""

import os

_FRAMES_PER_SECOND, _REMOTE_FRAMES_PER_SECOND = "120", "20"


def _pace_frames() -> None:
    """A frame is drawn where something changed, so how many there can be is how soon a key is answered. Over SSH there
    are few, and no animations. Textual reads these variables when it is first imported."""
    is_remote = "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ
    os.environ.setdefault("TEXTUAL_FPS", _REMOTE_FRAMES_PER_SECOND if is_remote else _FRAMES_PER_SECOND)
    if is_remote:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


_pace_frames()
