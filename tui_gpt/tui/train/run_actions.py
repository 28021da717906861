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

COMMANDS: dict[RunAction, tuple[str, str]] = {
    RunAction.START: ("Start training", "Train the run in the form"),
    RunAction.ALL_SETTINGS: ("All settings", "Show or hide every setting of the next run"),
    RunAction.START_FROM: ("Start from…", "New weights, the shipped model, or a run"),
    RunAction.PAUSE: ("Pause training", "Wait after the step in progress"),
    RunAction.CONTINUE: ("Continue training", "After a pause"),
    RunAction.STOP: ("Stop training", "Save and end the run"),
    RunAction.DETACH: ("Detach from this run", "Leave it to the process that trains it"),
    RunAction.RESUME: ("Resume this run", "Train on from its last checkpoint"),
    RunAction.CHANGE_LEARNING_RATE: ("Change the learning rate", "From the next step on"),
    RunAction.NEW: ("New run", "Return to the form"),
    RunAction.GENERATE: ("Generate with this run", "Open it in the Generate tab"),
    RunAction.TOGGLE_LOG: ("Toggle logarithmic loss axis", "Switch between linear and logarithmic"),
}
"""Title and explanation in the command palette."""


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
