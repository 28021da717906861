"""All surveys, in two sizes."""

from dataclasses import dataclass
from pathlib import Path

from tests.storage.disk.scenarios import SCENARIOS, commit_after, live_after
from tests.storage.disk.survey import Figures, State, survey, survey_again, trace_of

AGAIN = {"a folder": commit_after, "a run's life": live_after}
"""How the program continues from what such a scenario has left."""


@dataclass(frozen=True)
class Size:
    """How many states to check."""

    limit: int
    """States per moment of a trace, about."""
    strides: dict[str, int]
    """The program continues from every n-th state, by the scenario's name."""


FEW = Size(12, {"a folder": 16, "a run's life": 600})
MANY = Size(140, {"a folder": 6, "a run's life": 450})


def survey_all(size: Size, folder: Path) -> dict[str, Figures]:
    """Return the figures of each scenario. Raises PowerLossError at the first broken state."""
    found: dict[str, Figures] = {}
    for scenario in SCENARIOS:
        figures = survey(scenario, trace_of(scenario, folder), folder, size.limit)
        found[scenario.name] = figures
        if scenario.name in AGAIN:
            found[f"{scenario.name}, again"] = continued_from(scenario.name, figures, size, folder)
    return found


def distinct(found: dict[str, Figures]) -> set[State]:
    """Return the distinct states of all figures."""
    return set[State]().union(*(figures.states for figures in found.values()))


def continued_from(name: str, figures: Figures, size: Size, folder: Path) -> Figures:
    """Return the figures of continuing from some states of a scenario and losing power again."""
    return survey_again(list(figures.states)[:: size.strides[name]], AGAIN[name], folder, size.limit)
