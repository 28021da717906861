"""What a run's log has measured, by step."""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from tui_gpt.events import Evaluated, Event, Progress, Sampled
from tui_gpt.progress import RunRecord


@dataclass(frozen=True)
class Curves:
    """The measurements of a run, each in the order of its steps."""

    progress: dict[int, Progress]
    evaluations: dict[int, Evaluated]
    """At most one for each step: the loss of record where there is one, else the newest estimate."""
    samples: dict[int, Sampled]

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return the measurements of a complete log."""
        record, progress, samples = RunRecord(), dict[int, Progress](), dict[int, Sampled]()
        for event in events:
            record.apply(event)
            match event:
                case Progress():
                    progress[event.step] = event
                case Sampled():
                    samples[event.step] = event
        evaluations = {one.step: one for one in record.evaluations}
        return cls(dict(sorted(progress.items())), evaluations, dict(sorted(samples.items())))

    @property
    def steps(self) -> list[int]:
        """The steps at which a loss was measured."""
        return sorted({*self.progress, *self.evaluations})

    def seconds_at(self, step: int) -> float:
        """Return the seconds of training until `step`, as the newest progress up to it reports; 0 before the first."""
        index = bisect.bisect_right(self._progress_steps, step)
        return self.progress[self._progress_steps[index - 1]].elapsed_seconds if index else 0.0

    @cached_property
    def _progress_steps(self) -> list[int]:
        return list(self.progress)
