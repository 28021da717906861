"""A process is killed at a random moment while it changes the notebook: no change that was saved is lost."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.generate.notebook import killed
from tui_gpt.tui.generate.notebook import History, Notebook


def run_until_killed(path: Path, lines: int, seconds: float) -> int:
    """Start the process, kill it some time after it has printed some lines; return the last number printed."""
    command = [sys.executable, "-m", killed.__name__, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(lines)]
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        printed += process.stdout.readlines()
    return int(next(line for line in reversed(printed) if line.endswith("\n")))


def check(notebook: Notebook, last: int) -> None:
    """Check that the changes up to `last` are there, and those of the next one in their order."""
    cards = notebook.cards
    assert [card.answer.prompt for card in cards[: last + 1]] == [str(number) for number in range(last + 1)]
    for number, card in enumerate(cards[: last + 1]):
        name = f"answer {number}"
        assert card.answer.full == f"{number}{'x' * 50}"
        assert (dict(card.notes), set(card.bookmarks)) == ({name: f"note {number}"}, {name})
    assert len(cards) <= last + 2


def kill_repeatedly(path: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(count):
        last = run_until_killed(path, rng.randrange(1, 40), rng.random() * 0.02)
        notebook = History(path).read()
        check(notebook, last)
        if len(notebook.cards) == last + 2 and not notebook.cards[-1].notes:
            path.unlink()  # the next process would begin after a card that lacks its note


def test_nothing_saved_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    kill_repeatedly(tmp_path / "history.jsonl", 2, seed=1)


@pytest.mark.slow
def test_nothing_saved_is_lost_however_often_the_process_is_killed(tmp_path: Path) -> None:
    kill_repeatedly(tmp_path / "history.jsonl", 40, seed=2)
