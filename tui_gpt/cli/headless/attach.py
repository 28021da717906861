"""Following a run that another process trains: `tui-gpt runs attach`."""

from tui_gpt.cli.headless.event_writer import EventWriter
from tui_gpt.cli.headless.streams import Streams, unwritable_stdout
from tui_gpt.cli.progress_line import ProgressLine
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.control import Control
from tui_gpt.errors import EXIT_DONE, EXIT_SIGPIPE, StorageError
from tui_gpt.events import Event
from tui_gpt.session import SessionLike
from tui_gpt.storage.runs.live.attach import READING_LOG
from tui_gpt.summary import summary


def attach(session: SessionLike, name: str, streams: Streams, *, as_json: bool) -> int:
    """Follow a run until it ends or a signal detaches from it, and return the exit code. Raises TuiGptError."""
    control = Control()
    line = ProgressLine(streams.messages, silent=streams.quiet, activity=lambda: control.activity)
    log = EventWriter(streams.out if as_json else None, control.detach)
    streams.write_line(f"following {name} (Ctrl+C detaches, and the run continues)")
    with StopOnSignals(control, stop=control.detach) as signals:
        try:
            with line.heartbeat():
                for event in session.attach(name, control):
                    _show(event, line, control)
                    log.write(event)
        finally:
            line.clear()
    if line.record.finished is None:
        line.write_line(f"detached; {name} continues")
    for sentence in summary(line.record, name, None):
        line.write_line(sentence)
    if log.failure is not None and not isinstance(log.failure, BrokenPipeError):
        raise StorageError(f"detached, as {unwritable_stdout(log.failure)}")
    return EXIT_SIGPIPE if log.failure is not None else signals.exit_code or EXIT_DONE


def _show(event: Event, line: ProgressLine, control: Control) -> None:
    """Show an event; of those that were in the log before, only the figures."""
    if control.activity is not None and control.activity.name == READING_LOG:
        line.record.apply(event)
    else:
        line.note(event)
