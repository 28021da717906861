"""The full-screen app. Nothing in this package imports torch: it works with a `SessionLike` and draws its events."""

import os

_FRAMES_PER_SECOND, _REMOTE_FRAMES_PER_SECOND = "120", "15"


def _set_frame_rate() -> None:
    """Set Textual's frame rate, which Textual reads when it is first imported.

    Frames are drawn only when something changed, so the rate determines how soon a key shows its effect. Over SSH the
    rate is low, and there are no animations.
    """
    is_remote = "SSH_CONNECTION" in os.environ or "SSH_TTY" in os.environ
    os.environ.setdefault("TEXTUAL_FPS", _REMOTE_FRAMES_PER_SECOND if is_remote else _FRAMES_PER_SECOND)
    if is_remote:
        os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")


_set_frame_rate()
