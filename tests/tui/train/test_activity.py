"""The activity of a worker in words."""

import pytest

from tui_gpt.control import Activity
from tui_gpt.tui.train.activity import ActivityWatch, run_activity
from tui_gpt.tui.train.record import Phase


class Clock:
    """A clock that moves only when it is set."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_the_seconds_of_each_activity_are_counted() -> None:
    clock = Clock()
    watch = ActivityWatch(clock)
    shown = []
    for seconds, activity in (
        (100.0, Activity("loading PyTorch")),
        (100.4, Activity("loading PyTorch")),
        (100.6, Activity("loading PyTorch")),
        (102.5, Activity("loading PyTorch")),
        (103.0, Activity("evaluating", 0.1)),
        (105.0, Activity("evaluating", 0.4)),
        (106.0, None),
        (107.0, Activity("evaluating", 2.0)),
        (108.5, Activity("evaluating", 2.0)),
    ):
        clock.seconds = seconds
        shown.append(watch.words(activity))
    assert shown == [
        "", "", "", "loading PyTorch, 2 s", "", "evaluating 40 %, 2 s", "", "", "evaluating 100 %, 1 s",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("activity", "phase", "step", "name"),
    [
        (None, "loading", 0, "preparing"),
        (Activity("counting n-grams"), "loading", 0, "counting n-grams"),
        (None, "running", 5, None),
        (Activity("evaluating"), "running", 5, "evaluating"),
        (None, "pausing", 5, "pausing after this step"),
        (Activity("evaluating"), "pausing", 5, "pausing: evaluating"),
        (Activity("saving"), "paused", 5, None),
        (None, "stopping", 0, "stopping"),
        (Activity("loading PyTorch"), "stopping", 0, "stopping: loading PyTorch"),
        (Activity("saving"), "stopping", 5, "saving"),
        (Activity("evaluating"), "stopping", 5, "saving: evaluating"),
        (None, "finished", 5, None),
    ],
)
def test_the_activity_names_the_request_that_the_user_waits_for(
    activity: Activity | None, phase: Phase, step: int, name: str | None
) -> None:
    found = run_activity(activity, phase, step)
    assert (found.name if found else None) == name
