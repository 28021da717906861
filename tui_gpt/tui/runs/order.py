"""The order of the list of runs and the choice of the runs in it, without a widget."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tui_gpt.storage.runs import RunSummary
from tui_gpt.tui.runs.columns import COLUMNS, column_of, state_words


@dataclass(frozen=True)
class Order:
    """The column that a list is sorted by, and the direction."""

    key: str = "updated"
    descending: bool = True

    def by(self, key: str) -> "Order":
        """Return the order after a column has been chosen: reversed if it is the one already."""
        return self.reversed() if key == self.key else Order(key, column_of(key).largest_first)

    def reversed(self) -> "Order":
        """Return the order in the other direction."""
        return dataclasses.replace(self, descending=not self.descending)

    def next(self) -> "Order":
        """Return the order by the column to the right, or the first one."""
        keys = [column.key for column in COLUMNS]
        return self.by(keys[(keys.index(self.key) + 1) % len(keys)])

    @property
    def arrow(self) -> str:
        """A symbol for the heading of the column."""
        return "▼" if self.descending else "▲"


def in_order(runs: Iterable[RunSummary], order: Order) -> list[RunSummary]:
    """Return the runs in an order; equal ones keep theirs, and those without a value come last."""
    value = column_of(order.key).value
    valued = [(key, run) for run in runs if (key := value(run)) is not None]
    rest = [run for run in runs if value(run) is None]
    return [run for _, run in sorted(valued, key=lambda pair: pair[0], reverse=order.descending)] + rest


def matching(runs: Sequence[RunSummary], words: str) -> list[RunSummary]:
    """Return the runs that have every one of these words in their name, state, preset, text or note."""
    wanted = words.lower().split()
    return [run for run in runs if all(word in _searched(run) for word in wanted)] if wanted else list(runs)


def _searched(run: RunSummary) -> str:
    return "\n".join((run.name, state_words(run), run.preset, run.corpus, run.note)).lower()
