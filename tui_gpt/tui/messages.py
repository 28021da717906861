"""What one part of the app tells the others: facts in the past tense.

A widget posts what has happened to it; the app, which alone knows all of them, decides what follows.
"""

from collections.abc import Sequence

from textual.message import Message

from tui_gpt.errors import TuiGptError
from tui_gpt.events import Event
from tui_gpt.session import TrainRequest


class TorchWoke(Message):
    """PyTorch was imported; or it could not be, and `error` is the sentence that says why."""

    def __init__(self, error: str | None = None) -> None:
        self.error = error
        super().__init__()


class TrainingRequested(Message):
    """The user asked for a run to start or to go on."""

    def __init__(self, request: TrainRequest) -> None:
        self.request = request
        super().__init__()


class RunEventsArrived(Message):
    """The run under way emitted events, in order; several a message, at most ten messages a second."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        super().__init__()


class TrainingEnded(Message):
    """The training worker returned: finished, stopped, or out of time. Everything is saved."""


class TrainingFailed(Message):
    """The training worker raised. What was saved before is there."""

    def __init__(self, error: Exception, report: str | None = None) -> None:
        self.error = error
        self.report = report
        """Path of the crash report, when the error was not one of ours."""
        super().__init__()

    @property
    def sentence(self) -> str:
        """What to tell the user: one of our errors speaks for itself."""
        if isinstance(self.error, TuiGptError):
            return str(self.error)
        where = f": please send {self.report} with a bug report" if self.report else ""
        return f"something unexpected happened ({type(self.error).__name__}){where}"


class SourceChosen(Message):
    """The user chose a model to write with, as `SessionLike.open_model` takes it."""

    def __init__(self, source: str) -> None:
        self.source = source
        super().__init__()


class RunsChanged(Message):
    """A run was made, went on, ended or was deleted."""
