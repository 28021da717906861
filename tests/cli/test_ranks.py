"""What `train` does in a process that torchrun has started."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.helpers import CommandLine
from tui_gpt.config import resolve
from tui_gpt.control import Control
from tui_gpt.ranks import Ranks
from tui_gpt.storage.runs import RunStore

MINE = f"process {os.getppid()} on {platform.node()}"
"""The job of the process that runs the tests."""


class Torchrun:
    """Sets the environment of a rank."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, rank: int, world: int = 2, restarts: int = 0) -> None:
        variables = {
            "RANK": rank, "WORLD_SIZE": world, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": world,
            "MASTER_ADDR": "localhost", "MASTER_PORT": 1, "TORCHELASTIC_RESTART_COUNT": restarts,
            "TORCHELASTIC_RUN_ID": "none",
        }  # fmt: skip
        for name, value in variables.items():
            self._monkeypatch.setenv(name, str(value))


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Torchrun:
    return Torchrun(monkeypatch)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    return CommandLine(capsys, monkeypatch)


@pytest.fixture
def fox(tmp_path: Path) -> str:
    """A text."""
    path = tmp_path / "fox.txt"
    path.write_text("the quick brown fox jumps over the lazy dog.\n" * 50)
    return str(path)


def test_rank_0_trains_with_the_others(command: CommandLine, torchrun: Torchrun, fox: str) -> None:
    torchrun(0)
    assert command("train", fox, "--headless").code == 0
    assert (command.request.ranks.world, command.request.ranks.job) == (2, MINE)


def test_another_rank_reads_no_settings_and_prints_nothing(
    command: CommandLine, torchrun: Torchrun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 0 reports what is wrong."""
    followed: list[int] = []

    def follow(ranks: Ranks, control: Control) -> Iterator[int]:
        followed.append(ranks.rank)
        yield 2

    monkeypatch.setattr("tui_gpt.session.follow", follow)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    torchrun(1)
    result = command("train", "no such file", "--headless", "--json")
    assert (result.code, result.out, result.err) == (2, "", "")
    assert followed == [1]


def test_the_app_is_refused_in_several_processes(command: CommandLine, torchrun: Torchrun) -> None:
    torchrun(0)
    result = command("train")
    assert result.code == 2
    assert "add --headless" in result.err


@pytest.mark.parametrize("named", [(), ("--name", "fox")])
def test_a_restarted_run_is_resumed_instead_of_made_again(
    command: CommandLine, torchrun: Torchrun, fox: str, named: tuple[str, ...]
) -> None:
    RunStore().create(resolve("nano", fox), "other").set_job("of another torchrun")
    RunStore().create(resolve("nano", fox), "fox").set_job(MINE)
    torchrun(0, restarts=1)
    assert command("train", fox, "--headless", *named, "--max-iters", "30").code == 0
    assert (command.request.resume, command.request.changes) == ("fox", {})


def test_a_restarted_run_in_a_folder_is_resumed(
    command: CommandLine, torchrun: Torchrun, fox: str, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    RunStore().create_at(place, resolve("nano", fox)).set_job(MINE)
    torchrun(0, restarts=1)
    assert command("train", fox, "--headless", "--model-path", str(place)).code == 0
    assert (command.request.resume, command.request.model_path) == ("model", place)


def test_a_run_that_died_before_it_was_made_is_made_after_the_restart(
    command: CommandLine, torchrun: Torchrun, fox: str
) -> None:
    torchrun(0, restarts=1)
    assert command("train", fox, "--headless").code == 0
    assert command.request.resume is None


def test_a_name_that_is_taken_is_refused_at_the_first_start(command: CommandLine, torchrun: Torchrun, fox: str) -> None:
    RunStore().create(resolve("nano", fox), "fox").set_job(MINE)
    torchrun(0)
    assert command("train", fox, "--headless", "--name", "fox").code == 2


def test_a_run_without_torchrun_belongs_to_no_job(fox: str) -> None:
    """Also one whose file was altered."""
    run = RunStore().create(resolve("nano", fox), "fox")
    run.set_job("")
    assert (run.job, list(run.path.glob("job*"))) == ("", [])
    (run.path / "job.json").write_text("{")
    assert run.job == ""
    assert RunStore().newest_of_job("") is None
