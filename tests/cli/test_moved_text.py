"""A text that is no longer where or what it was, in real trainings and evaluations in this process."""

from pathlib import Path

import pytest

from tests.cli.helpers import Result
from tui_gpt.cli import main as cli

TINY = (
    "--preset", "nano", "--n-layer", "1", "--n-embd", "16", "--n-head", "2", "--block-size", "16", "--batch-size", "2",
    "--threads", "1", "--warmup-iters", "0",
)  # fmt: skip


def test_a_text_that_has_moved_or_changed_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Result:
        code = cli.run(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    text = tmp_path / "moving.txt"
    text.write_text("the quick brown fox jumps over the lazy dog.\n" * 50)
    made = run("train", "moving.txt", "--headless", "--quiet", "--name", "moved", *TINY, "--max-iters", "3")
    assert made.code == 0, made.err
    text.rename(tmp_path / "there.txt")
    gone = run("train", "--headless", "--quiet", "--resume", "moved", "--max-iters", "5")
    assert (gone.code, "name its new path as CORPUS with --resume" in gone.err) == (2, True)
    again = run("train", "there.txt", "--headless", "--quiet", "--resume", "moved", "--max-iters", "5")
    assert again.code == 0, again.err
    assert run("eval", "--run", "moved@last", "--json").code == 0
    (tmp_path / "there.txt").write_text("something else\n" * 200)
    changed = run("eval", "--run", "moved@last", "--json")
    assert (changed.code, changed.out) == (2, "")
    assert "has changed since moved@last was trained on it: put the old text back, or measure any text with --file" in (
        changed.err
    )
