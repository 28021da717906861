"""The screen first: threads that compute step back behind the one that draws and listens.

Training takes every core, writing one more, and a key must not wait for either: neither for the processor nor for the
interpreter's lock. What a system does not offer is left as it is.
"""

import os
import sys
import threading
from contextlib import suppress

SWITCH_SECONDS = 0.001
"""After how long a thread that computes in Python lets another one have the interpreter (Python's own is 0.005)."""
BACKGROUND_NICENESS = 5


def keep_the_screen_quick() -> None:
    """For the app's own thread, once."""
    sys.setswitchinterval(SWITCH_SECONDS)


def step_back() -> None:
    """Let the calling thread, and those it starts, have the processor after the screen's thread, where Linux runs."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            niceness = max(BACKGROUND_NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
