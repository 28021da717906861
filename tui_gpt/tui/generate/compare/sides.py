"""Two models or two settings on one prompt, without widgets: what is different, and where the texts first differ."""

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tui_gpt.config import SampleConfig
from tui_gpt.session import SessionLike
from tui_gpt.tui.generate.controller import NO_THREAD
from tui_gpt.tui.generate.job import Burst, GenerationJob
from tui_gpt.tui.generate.notebook import Answer, Card
from tui_gpt.tui.generate.notebook.limits import limits
from tui_gpt.tui.generate.prompt.model_chooser import source_label
from tui_gpt.tui.generate.prompt.sampling_settings import KNOBS
from tui_gpt.tui.threads import start_in_background


@dataclass(frozen=True)
class Side:
    """A model, as `SessionLike.open_model` takes it, and sampling settings."""

    source: str | None = None
    config: SampleConfig = field(default_factory=SampleConfig)


Difference = tuple[str, str, str]
"""A setting and its value on each side."""


def differences(left: Side, right: Side) -> list[Difference]:
    """Return the settings that are not the same; the seed always is, when text is generated."""
    rows = [("model", source_label(left.source), source_label(right.source))]
    for knob in KNOBS:
        values = [getattr(side.config, knob.name) for side in (left, right)]
        if knob.name != "seed":
            rows.append((knob.label, knob.spelled(values[0]), knob.spelled(values[1])))
    left_limits, right_limits = (" · ".join(limits(side.config)) or "none" for side in (left, right))
    rows.append(("limits", left_limits, right_limits))
    return [row for row in rows if row[1] != row[2]]


def first_difference(texts: Sequence[str], *, are_complete: bool) -> int | None:
    """Return the index of the first character that is not the same in both texts; None without one."""
    left, right = texts
    shorter = min(len(left), len(right))
    for index in range(shorter):
        if left[index] != right[index]:
            return index
    return shorter if are_complete and len(left) != len(right) else None


class PairedGeneration:
    """Generates on both sides at the same time, with the same seed, each side in a thread."""

    def __init__(self, session: SessionLike, prompt: str, sides: Sequence[Side], seed: int) -> None:
        answers = [
            Answer(prompt=prompt, config=dataclasses.replace(side.config, seed=seed), source=side.source)
            for side in sides
        ]
        self.jobs = [GenerationJob(answer) for answer in answers]
        for job in self.jobs:
            _start(job, session)

    @property
    def is_done(self) -> bool:
        """Whether both sides are complete."""
        return all(job.phase == "done" for job in self.jobs)

    def take(self) -> list[Burst]:
        """Return what arrived on each side since the last call."""
        return [job.take()[0] for job in self.jobs]

    def stop(self) -> None:
        """Stop both sides, keeping what arrived."""
        for job in self.jobs:
            job.stop()

    @property
    def answers(self) -> list[Answer]:
        """The answers with the text taken so far."""
        return [job.answers[0] for job in self.jobs]

    def card(self) -> Card:
        """Return a card with both answers."""
        return Card(answers=tuple(self.answers))


def _start(job: GenerationJob, session: SessionLike) -> None:
    turn = threading.Lock()  # the sides do not wait for each other
    try:
        start_in_background(lambda: job.run(session, turn), "comparing")
    except RuntimeError:
        job.fail(NO_THREAD)
