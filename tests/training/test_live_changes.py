"""Changes during a run are reported, refused together, or repeated from the log."""

from tests.training.budget.test_time_budget import Budgeted
from tests.training.workbench import TRAIN
from tui_gpt.events import ChangeRefused, SettingChanged
from tui_gpt.training.budget.time_budget import ESTIMATE, PLAN
from tui_gpt.training.live_changes import LiveChanges
from tui_gpt.training.state import TrainerState


def changes_of(run: Budgeted) -> LiveChanges:
    return LiveChanges(run.state, run.settings, run.budget)


def plain_run() -> Budgeted:
    return Budgeted(TRAIN, TrainerState(step=5, max_iters=20))


def test_changes_are_reported_each_with_its_step() -> None:
    assert list(changes_of(plain_run()).apply({"max_iters": 30, "grad_clip": 0.5})) == [
        SettingChanged(step=5, setting="max_iters", value=30),
        SettingChanged(step=5, setting="grad_clip", value=0.5),
    ]


def test_changes_that_are_impossible_together_are_all_refused_with_the_reason() -> None:
    run = plain_run()
    events = list(changes_of(run).apply({"grad_clip": 0.5, "max_iters": 3}))
    assert [(type(event), getattr(event, "setting", "")) for event in events] == [
        (ChangeRefused, "grad_clip"),
        (ChangeRefused, "max_iters"),
    ]
    assert run.settings.config == TRAIN


def test_a_new_budget_is_planned_when_the_user_sets_it_and_not_when_it_is_repeated() -> None:
    applied, repeated = plain_run(), plain_run()
    budget = {"max_iters": None, "max_seconds": 100.0}
    settings = [getattr(event, "setting", "") for event in changes_of(applied).apply(budget)]
    assert settings == ["max_iters", "max_seconds", "max_iters", ESTIMATE]
    events = list(changes_of(repeated).repeat({**budget, PLAN: 60, ESTIMATE: 400}))
    assert [(getattr(event, "setting", ""), getattr(event, "value", 0)) for event in events] == [
        ("max_iters", None),
        ("max_seconds", 100.0),
        (ESTIMATE, 400),
        ("max_iters", 60),
    ]
    assert (repeated.state.max_iters, repeated.state.estimate_tokens, repeated.state.budget_step) == (60, 400, 5)


def test_a_plan_without_a_change_of_the_user_is_repeated_too() -> None:
    run = plain_run()
    assert list(changes_of(run).repeat({PLAN: 60})) == [
        SettingChanged(step=5, setting="max_iters", value=60, origin="plan")
    ]


def test_changes_of_a_resume_are_reported_without_being_applied_again() -> None:
    run = plain_run()
    assert list(changes_of(run).announce({"max_iters": 30})) == [SettingChanged(step=5, setting="max_iters", value=30)]
    assert run.state.max_iters == 20
