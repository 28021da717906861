"""Describe events in words, for the progress line, the chart's marks and the app's toasts."""

from dataclasses import dataclass
from typing import Literal

from tui_gpt.events import (
    ChangeRefused,
    CompileFailed,
    Event,
    Initialized,
    MemoryRanOut,
    Paused,
    RequestRefused,
    Resumed,
    ResumeDiffers,
    RolledBack,
    SettingChanged,
    SettingValue,
    Started,
    StepSkipped,
    StorageProblem,
    StorageRecovered,
)
from tui_gpt.formatting import format_count, format_setting, token_noun

NoticeKind = Literal["started", "paused", "resumed", "changed", "warning", "recovered"]


@dataclass(frozen=True)
class Notice:
    """One event in words. They may hold text from a file: escape them before they reach a terminal."""

    step: int
    kind: NoticeKind
    sentence: str
    label: str = ""
    """A few words for a mark on the chart; empty for what the chart does not mark."""

    @property
    def is_urgent(self) -> bool:
        """Whether it is shown even with --quiet."""
        return self.kind in ("warning", "recovered")


def notice_of(event: Event) -> Notice | None:
    """Return the notice of an event; None for one that the figures on the screen show anyway."""
    match event:
        case Started():
            return _start_notice(event)
        case Initialized():
            return _initialization_notice(event)
        case SettingChanged():
            return _change_notice(event)
        case Paused():
            return Notice(event.step, "paused", f"paused at step {event.step:,}", "paused")
        case Resumed():
            return Notice(event.step, "resumed", f"continuing at step {event.step:,}", "continued")
        case StorageRecovered():
            return Notice(event.step, "recovered", "saving works again")
        case _:
            return _warning(event)


def device_words(event: Started) -> str:
    """Return the device that trains, and its precision where that is not fp32."""
    return event.device if event.precision == "fp32" else f"{event.device} ({event.precision})"


def _start_notice(event: Started) -> Notice:
    model = (
        f"{format_count(event.parameters)} parameters, "
        f"{format_count(event.train_tokens)} {token_noun(event.tokenizer)}s, "
        f"{event.max_iters:,} steps on {device_words(event)}"
    )
    if not event.step:
        return Notice(event.step, "started", f"training {event.preset}: {model}")
    return Notice(event.step, "resumed", f"resuming {event.preset} at step {event.step:,}: {model}", "resumed")


def _initialization_notice(event: Initialized) -> Notice:
    new = f"; new characters: {event.new_characters}" if event.new_characters else ""
    words = f"initialized from {event.source}{new}"
    return Notice(event.step, "changed", words, words)


def _change_notice(event: SettingChanged) -> Notice | None:
    """Return the notice of a changed setting; None for the time budget's own corrections."""
    if event.origin == "plan":
        return None
    change = "removed" if event.value is None else f"set to {format_setting(event.value)}"
    sentence = f"step {event.step:,}: {event.setting} {change}"
    label = "" if event.value is None else _change_label(event.setting, event.value)
    return Notice(event.step, "changed", sentence, label)


def _change_label(setting: str, value: SettingValue) -> str:
    shown = format_setting(value)
    match setting:
        case "learning_rate":
            return f"lr {shown}"
        case "max_iters":
            return f"up to step {shown}"
        case "max_seconds":
            return f"time budget {shown} s"
        case _:
            return f"{setting} {shown}"


def _warning(event: Event) -> Notice | None:
    match event:
        case ChangeRefused():
            words = (f"{event.setting} was not changed: {event.reason}", f"{event.setting} not changed")
        case RequestRefused():
            words = (f"the request to {event.request} had no effect: {event.reason}", "")
        case StepSkipped():
            words = (f"step {event.step:,} was skipped: its loss or gradient was not finite", "step skipped (NaN)")
        case RolledBack():
            place = f"rolled back to step {event.to_step:,}"
            words = (f"step {event.step:,}: the loss or gradient was not finite again, {place}", place)
        case StorageProblem():
            words = (event.problem, "")
        case MemoryRanOut():
            size = f"passes of {event.windows:,} window{'s' if event.windows > 1 else ''}"
            words = (f"step {event.step:,}: the device's memory ran out; training continues in {size}", size)
        case CompileFailed():
            words = (f"training continues without --compile ({event.problem})", "not compiled")
        case ResumeDiffers():
            words = (
                f"the first loss after resuming is {event.loss:.6f} instead of {event.expected_loss:.6f}: this machine "
                "or this version computes differently; training continues",
                "loss differs after resuming",
            )
        case _:
            return None
    return Notice(event.step, "warning", *words)
