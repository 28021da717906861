"""The README's pictures can be made again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_one_command_makes_both_pictures(tmp_path: Path) -> None:
    """From the recording and the shipped model, in a process of its own: it sets its own home."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("TUI_GPT_NO_KERNEL", None)  # 600 characters take half a minute without the extension
    subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "pictures.py"), str(tmp_path)], check=True, env=environment
    )
    train, generate = ((tmp_path / f"{name}.svg").read_text(encoding="utf-8") for name in ("train", "generate"))
    assert "finished:&#160;nano" in train
    assert "sample&#160;at&#160;step" in train
    assert "ROMEO:" in generate
    assert (ROOT / "docs" / "train.svg").read_text(encoding="utf-8").count("finished:&#160;nano") == 1
