"""What keys, buttons and the command palette can do with the run on the Train tab, and when."""

from enum import StrEnum

from tui_gpt.tui.train.record import RunView


class RunAction(StrEnum):
    """An action on the run on screen, or on the form of the next run."""

    START = "start"
    PAUSE = "pause"
    CONTINUE = "continue"
    STOP = "stop"
    DETACH = "detach"
    RESUME = "resume"
    CHANGE_LEARNING_RATE = "change_learning_rate"
    GENERATE = "generate"
    NEW = "new"
    TOGGLE_LOG = "toggle_log"
    ALL_SETTINGS = "all_settings"
    START_FROM = "start_from"


_FORM_ACTIONS = (RunAction.START, RunAction.ALL_SETTINGS, RunAction.START_FROM)
_PAUSE_REQUESTED = ("pausing", "paused")


def is_available(action: RunAction, shown: RunView | None, *, is_live: bool) -> bool:
    """Return whether an action makes sense for the run `shown` on the Train tab.

    `shown` is None for the form; `is_live` means that the run is in progress, in this app or in a process it follows.
    """
    if shown is None:
        return action in _FORM_ACTIONS
    match action:
        case RunAction.START | RunAction.ALL_SETTINGS | RunAction.START_FROM:
            return False
        case RunAction.PAUSE:
            return is_live and shown.phase not in _PAUSE_REQUESTED
        case RunAction.CONTINUE:
            return is_live and shown.phase in _PAUSE_REQUESTED
        case RunAction.STOP:
            return is_live
        case RunAction.DETACH:
            return is_live and bool(shown.writer)
        case RunAction.CHANGE_LEARNING_RATE:
            return is_live and shown.phase == "paused"
        case RunAction.RESUME:
            return not is_live and bool(shown.name)
        case RunAction.GENERATE:
            return bool(shown.name) and (not is_live or shown.saved is not None)
        case RunAction.NEW:
            return not is_live
        case RunAction.TOGGLE_LOG:
            return True
