"""The exit codes of the program."""

import re
from pathlib import Path

from tui_gpt import errors

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_lists_every_exit_code() -> None:
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    listed = re.search(r"Exit codes: (.*?)\. ", README.read_text(encoding="utf-8"), re.DOTALL)
    assert listed is not None
    assert {int(number) for number in re.findall(r"\b\d+\b", listed[1])} == codes
