"""The scripts in examples/ and the code in docs/library.md do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

pytestmark = pytest.mark.slow


def output_of(example: str, home: Path, folder: Path) -> str:
    """Return what an example prints; it must leave nothing behind. It may use the compiled decoder."""
    environment = {**os.environ, "TUI_GPT_HOME": str(home), "TMPDIR": str(folder), "PYTHONIOENCODING": "utf-8"}
    environment.pop("TUI_GPT_NO_KERNEL", None)
    before = set(folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / example],
        capture_output=True, encoding="utf-8", check=False, cwd=folder, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not home.exists()
    assert set(folder.rglob("*")) == before
    return done.stdout


def numbers(pattern: str, text: str) -> list[float]:
    """Return the numbers that the group of a pattern matches in each line."""
    return [float(found) for found in re.findall(pattern, text, re.MULTILINE)]


def test_every_example_is_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"generate_and_score.py", "inside_a_prediction.py", "train_and_watch.py"}


def test_generate_and_score(temporary_home: Path, tmp_path: Path) -> None:
    text = output_of("generate_and_score.py", temporary_home, tmp_path)
    by_temperature = numbers(r"^ +\d\.\d +(\d\.\d+)   ['\"]", text)
    assert len(by_temperature) == 4
    assert by_temperature == sorted(by_temperature)
    bank, hamlet = (numbers(rf"^ +(\d\.\d+)   {author}:", text)[0] for author in ("a bank", "Hamlet"))
    assert bank > hamlet
    assert "100%   'First Citizen" in text


def test_inside_a_prediction(temporary_home: Path, tmp_path: Path) -> None:
    text = output_of("inside_a_prediction.py", temporary_home, tmp_path)
    assert "occurrences in the training text: 1\n" in text
    sums = re.findall(r"^ +'.' .* (-?\d+\.\d{3}) +(-?\d+\.\d{3})$", text, re.MULTILINE)
    assert len(sums) == 5
    assert all(abs(float(one) - float(other)) <= 0.0011 for one, other in sums)
    assert 97 < sum(numbers(r"^order \d: +(\d+\.\d)%", text)) < 103
    whole, first = (numbers(rf"^'{word}' +(\d\.\d+) ", text)[0] for word in ("eo", "e"))
    assert 0 < whole < first < 1


def test_train_and_watch(temporary_home: Path, tmp_path: Path) -> None:
    text = output_of("train_and_watch.py", temporary_home, tmp_path)
    counted = numbers(r"^ +\d   (\d\.\d{3})  #", text)
    assert len(counted) == 7
    bigram, quick = (
        numbers(r"(\d\.\d{3}) \(", line) for line in re.findall(r"^(?:bigram|quick) .*$", text, re.MULTILINE)
    )
    assert bigram == sorted(bigram, reverse=True)
    assert counted[1] - 0.01 < bigram[-1] < counted[1] + 0.1
    assert quick[-1] < counted[-1]
    assert "saved at step 600, finished at step 600" in text


def test_the_code_of_the_documentation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks, one after the other, as in one notebook."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs" / "library.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(blocks) == 6
    names: dict[str, object] = {"__name__": "notebook"}
    for block in blocks:
        exec(compile(block, "docs/library.md", "exec"), names)
    assert [step for step, _ in names["losses"]] == [10, 20, 30]  # type: ignore[attr-defined]  # set by the last block
