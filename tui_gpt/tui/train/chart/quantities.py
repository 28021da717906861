"""What a chart can show of a run over its steps, and the three units of its x axis."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from tui_gpt.events import Evaluated
from tui_gpt.formatting import format_count, format_duration, format_loss
from tui_gpt.tui.train.record import Reference, RunView
from tui_gpt.tui.train.series import Series

XAxis = Literal["step", "characters", "seconds"]
X_AXES: tuple[XAxis, ...] = ("step", "characters", "seconds")
X_TITLES: dict[XAxis, str] = {"step": "steps", "characters": "characters read", "seconds": "seconds"}


@dataclass(frozen=True)
class Quantity:
    """A value that changes with the steps."""

    name: str
    title: str
    """With its unit."""
    short_title: str

    def series(self, record: RunView) -> Series:
        """Return its values in a run."""
        match self.name:
            case "learning_rate":
                return record.rates
            case "grad_norm":
                return record.grad_norms
            case "speed":
                return record.speeds
            case "bits":
                return record.bits
            case _:
                return record.train

    @property
    def is_loss(self) -> bool:
        """Whether evaluations measure it as well."""
        return self.name in ("loss", "bits")

    def validation(self, evaluation: Evaluated) -> float:
        """Return a loss as an evaluation measured it."""
        return evaluation.bits_per_char if self.name == "bits" else evaluation.val_loss

    def validation_words(self, evaluation: Evaluated) -> str:
        """Return that loss for reading; an estimate begins with ~."""
        return format_loss(self.validation(evaluation), is_estimate=evaluation.is_estimate)

    def references(self, record: RunView) -> tuple[Reference, ...]:
        """Return the losses to compare a run with."""
        return record.bit_references if self.name == "bits" else record.references

    def title_of(self, units: Set[str]) -> str:
        """Return the title for runs whose losses are per one of these units, e.g. `character`."""
        return self.title if self is not LOSS or units == {"character"} else f"loss in nats per {_unit(units)}"

    def words(self, value: float) -> str:
        """Return a value for reading."""
        match self.name:
            case "loss" | "bits":
                return f"{value:.4f}"
            case "speed":
                return format_count(value)
            case _:
                return f"{value:.3g}"


LOSS = Quantity("loss", "loss in nats per character", "loss")
BITS = Quantity("bits", "loss in bits per character", "bits/char")
LEARNING_RATE = Quantity("learning_rate", "learning rate", "learning rate")
GRAD_NORM = Quantity("grad_norm", "gradient norm", "gradient norm")
SPEED = Quantity("speed", "speed in characters per second", "chars/s")
QUANTITIES = (LOSS, LEARNING_RATE, GRAD_NORM, SPEED, BITS)


def _unit(units: Set[str]) -> str:
    return next(iter(units)) if len(units) == 1 else "token"


def place_of(record: RunView, step: float, axis: XAxis) -> float:
    """Return the place of a step on an x axis."""
    match axis:
        case "step":
            return step
        case "characters":
            return step * record.characters_per_step
        case "seconds":
            return record.train.seconds_at(step)


def step_at(record: RunView, place: float, axis: XAxis) -> float:
    """Return the step at a place on an x axis: the inverse of `place_of`."""
    match axis:
        case "step":
            return place
        case "characters":
            return place / record.characters_per_step
        case "seconds":
            return record.train.step_at(place)


def place_words(place: float, axis: XAxis) -> str:
    """Return a place on an x axis for reading, e.g. `step 1,200`, `1.2 M characters`, `3 min 20 s`."""
    match axis:
        case "step":
            return f"step {place:,.0f}"
        case "characters":
            return f"{format_count(place)} characters"
        case "seconds":
            return format_duration(place)


def x_extent(record: RunView, axis: XAxis) -> float:
    """Return the end of an x axis that shows all steps of a run, or those made once it has ended."""
    planned = record.max_iters if record.is_live else 0
    last = float(max(planned, record.step, 1))
    return place_of(record, last, axis) or 1.0
