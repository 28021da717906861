"""What a chart can show of a run over its steps, and the three units of its x axis."""

from dataclasses import dataclass
from typing import Literal

from tui_gpt.formatting import format_count, format_duration
from tui_gpt.tui.train.record import RunView
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
            case _:
                return record.train

    def words(self, value: float) -> str:
        """Return a value for reading."""
        match self.name:
            case "loss":
                return f"{value:.4f}"
            case "speed":
                return format_count(value)
            case _:
                return f"{value:.3g}"


LOSS = Quantity("loss", "loss in nats per character", "loss")
LEARNING_RATE = Quantity("learning_rate", "learning rate", "learning rate")
GRAD_NORM = Quantity("grad_norm", "gradient norm", "gradient norm")
SPEED = Quantity("speed", "speed in characters per second", "chars/s")
QUANTITIES = (LOSS, LEARNING_RATE, GRAD_NORM, SPEED)


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
