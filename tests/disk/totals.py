"""All surveys, in two sizes."""

from dataclasses import dataclass
from pathlib import Path

from tests.disk.scenarios import SCENARIOS, commit_after, live_after
from tests.disk.survey import Figures, survey, survey_again, trace_of

AGAIN = {"a folder": commit_after, "a run's life": live_after}
"""How the program goes on from what such a scenario has left."""


@dataclass(frozen=True)
class Size:
    """How many states to look at."""

    limit: int
    """States per moment of a trace, about."""
    strides: dict[str, int]
    """Every so many-th state is gone on from, by the scenario's name."""


FEW = Size(12, {"a folder": 16, "a run's life": 250})
MANY = Size(300, {"a folder": 1, "a run's life": 60})


def survey_all(size: Size, folder: Path, *, only_again: bool = False) -> dict[str, Figures]:
    """The figures of each scenario. Raises PowerLossError at the first state that is broken."""
    found: dict[str, Figures] = {}
    for scenario in SCENARIOS:
        if only_again and scenario.name not in AGAIN:
            continue
        figures = survey(scenario, trace_of(scenario, folder), folder, size.limit)
        if not only_again:
            found[scenario.name] = figures
        if scenario.name in AGAIN:
            states = list(figures.states)[:: size.strides[scenario.name]]
            found[f"{scenario.name}, again"] = survey_again(states, AGAIN[scenario.name], folder, size.limit)
    return found
