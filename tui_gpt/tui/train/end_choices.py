"""The ends that the form offers for a run: time budgets, and the preset's own. Pure: no widget, no disk."""

from collections.abc import Mapping
from dataclasses import dataclass

from tui_gpt.config import PRESETS
from tui_gpt.errors import ConfigError
from tui_gpt.formatting import format_duration
from tui_gpt.tui.train.form import parsed

BUDGET_MINUTES = (1, 3, 15, 60)


@dataclass(frozen=True)
class EndChoice:
    """One end of a run; at least one of the two is set."""

    max_seconds: float | None
    max_iters: int | None

    @property
    def label(self) -> str:
        """Return e.g. `3 min`, `5,000 steps`, `650 steps or 60 min`."""
        steps = "" if self.max_iters is None else f"{self.max_iters:,} {'step' if self.max_iters == 1 else 'steps'}"
        return " or ".join(filter(None, (steps, "" if self.max_seconds is None else _minutes(self.max_seconds))))

    def texts(self) -> dict[str, str]:
        """Return the text of the form's fields."""
        return {
            "max_seconds": "" if self.max_seconds is None else f"{self.max_seconds:g}",
            "max_iters": "" if self.max_iters is None else str(self.max_iters),
        }


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds % 60 == 0 else format_duration(seconds)


def end_choices(preset: str, typed: Mapping[str, str]) -> tuple[list[EndChoice], int | None]:
    """Return the ends to offer, and which of them is the one typed into the form; None while that is invalid."""
    train = PRESETS[preset].train
    choices = [EndChoice(60.0 * minutes, None) for minutes in BUDGET_MINUTES]
    current = _typed_end(typed)
    for other in (EndChoice(train.max_seconds, train.max_iters), current):
        if other is not None and other not in choices:
            choices.append(other)
    return choices, None if current is None else choices.index(current)


def _typed_end(typed: Mapping[str, str]) -> EndChoice | None:
    """Return the end in the form; None where there is none, or an invalid one."""
    try:
        seconds, steps = parsed("max_seconds", typed["max_seconds"]), parsed("max_iters", typed["max_iters"])
    except ConfigError:
        return None
    end = EndChoice(
        float(seconds) if isinstance(seconds, int | float) else None, steps if isinstance(steps, int) else None
    )
    return end if end != EndChoice(None, None) else None
