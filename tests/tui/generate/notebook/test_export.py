"""Cards as text and Markdown, and files that are never overwritten."""

from pathlib import Path

from tests.tui.generate.notebook.helpers import card, written
from tui_gpt.config import SampleConfig
from tui_gpt.tui.generate.notebook import Answer, as_markdown, as_text, provenance, save_copy


def test_text_is_the_shown_answer() -> None:
    assert as_text(card(written(" be"), written(" see"), shown=1)) == "to see"


def test_markdown_has_every_answer_with_its_provenance() -> None:
    document = as_markdown(card(written(" be", model="my-run"), written(" see", model="shipped")))
    assert document.startswith("# to be\n")
    for line in ("my-run, seed 7, temperature 0.8, 3 characters", "to be", "shipped, seed 7", "to see"):
        assert line in document


def test_backticks_cannot_end_the_code_block() -> None:
    assert "````text\nto```\n````" in as_markdown(card(written("```")))


def test_provenance_names_only_filters_that_filter() -> None:
    answer = Answer(model="m", step=2_000, config=SampleConfig(seed=1, top_k=20))
    assert provenance(answer) == "m, step 2,000, seed 1, temperature 0.8, top-k 20, 0 characters"


def test_provenance_names_changes_with_their_positions() -> None:
    changes = ((120, "temperature", 1.1), (200, "top_k", 5), (300, "temperature", 0.9))
    answer = Answer(model="m", config=SampleConfig(seed=1), changes=changes)
    expected = "m, seed 1, temperature 0.8 → 1.1 at 120 → 0.9 at 300, top-k all → 5 at 200, 0 characters"
    assert provenance(answer) == expected


def test_a_copy_never_replaces_a_file(tmp_path: Path) -> None:
    first, second = (save_copy(card(), tmp_path) for _ in range(2))
    assert (first.name, second.name) == ("tui-gpt-to-be.txt", "tui-gpt-to-be-2.txt")
    assert first.read_text(encoding="utf-8") == second.read_text(encoding="utf-8") == "to be\n"


def test_a_copy_of_punctuation_only_has_a_name_too(tmp_path: Path) -> None:
    assert save_copy(card(written("!?", prompt="…")), tmp_path, markdown=True).name == "tui-gpt.md"
