"""Training without a screen: `tui-gpt train --headless`."""

from tui_gpt.cli.headless.alerts import HeadlessAlerts
from tui_gpt.cli.headless.event_writer import EventWriter
from tui_gpt.cli.headless.notify import Notifier
from tui_gpt.cli.headless.on_event import EventHook
from tui_gpt.cli.headless.streams import Streams, unwritable_stdout
from tui_gpt.cli.progress_line import ProgressLine
from tui_gpt.cli.signals import StopOnSignals
from tui_gpt.control import Control
from tui_gpt.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_SIGPIPE,
    OUT_OF_MEMORY,
    StorageError,
    TuiGptError,
    is_out_of_memory,
)
from tui_gpt.escaping import escape_controls
from tui_gpt.progress import RunRecord
from tui_gpt.requests import TrainRequest
from tui_gpt.session import SessionLike
from tui_gpt.storage import crash, settings
from tui_gpt.summary import run_folder, summary


def train(
    session: SessionLike,
    request: TrainRequest,
    streams: Streams,
    *,
    as_json: bool,
    notify: str | None = None,
    on_event: str | None = None,
) -> int:
    """Train until the run ends or a signal stops it, and return the exit code. Raises TuiGptError.

    `notify` is the command for the run's alerts, `on_event` the function for its events.
    """
    control = Control()
    line = ProgressLine(streams.messages, silent=streams.quiet, activity=lambda: control.activity)
    log = EventWriter(streams.out if as_json else None, control.stop)
    notifier = None if notify is None else Notifier.of(notify, line.write_warning)
    hook = None if on_event is None else EventHook.of(on_event, line.write_warning)
    alert_config, problem = settings.alert_config()
    if problem:
        line.write_warning(problem)
    alerts = HeadlessAlerts(line, alert_config, notifier)
    message = "" if streams.quiet else "saving, then stopping (press again to quit immediately)"
    with StopOnSignals(control, message, leave=alerts.leave) as signals, alerts:
        signals.nothing_to_lose = True
        try:
            with line.heartbeat():
                for event in session.train(request, control):
                    signals.nothing_to_lose = False
                    line.note(event)
                    alerts.note(event, session.run_name)
                    log.write(event)
                    if hook is not None:
                        hook.call(event, session.run_name)
        except TuiGptError as error:
            alerts.fail(str(error))
            raise
        except Exception as error:
            sentence = _failure(error, line.record, log)
            line.write_line(f"error: {sentence}", urgent=True)
            alerts.fail(sentence)
            return EXIT_FAILED
        finally:
            line.clear()
            if hook is not None:
                hook.close()
        for sentence in summary(line.record, session.run_name, request.model_path):
            line.write_line(sentence)
    if log.failure is not None:
        return _stopped_by_stdout(log.failure, line)
    return signals.exit_code or EXIT_DONE


def _failure(error: Exception, record: RunRecord, log: EventWriter) -> str:
    """Return the message for an unexpected error, with the run's folder if anything was saved."""
    message = OUT_OF_MEMORY if is_out_of_memory(error) else crash.sentence(crash.write_report(error, log.recent))
    if record.saved is None:
        return message
    return f"{message}; the run is saved in {escape_controls(run_folder(record.saved))}"


def _stopped_by_stdout(failure: OSError, line: ProgressLine) -> int:
    if isinstance(failure, BrokenPipeError):
        line.write_line("stdout was closed; the run was saved and stopped")
        return EXIT_SIGPIPE
    raise StorageError(f"the run was saved and stopped, as {unwritable_stdout(failure)}")
