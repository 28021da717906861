"""The notebook as JSON: what is exported is imported, and nothing else is."""

import itertools
import json
import math
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.generate.notebook.helpers import CONFIG, card, written
from tui_gpt.errors import ConfigError, StorageError, TuiGptError
from tui_gpt.generation.steering.endings import END_WORDS
from tui_gpt.tui.generate.notebook import Answer, Card, Notebook
from tui_gpt.tui.generate.notebook.exchange import added, export_file, from_json, import_file, to_json

texts = st.text(max_size=20)
halves = st.floats(-60_000, 0, width=16).map(lambda one: struct.unpack("<e", struct.pack("<e", one))[0])


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """Return a card with a tree of branches, bookmarks and notes."""
    answers = [Answer(prompt=draw(texts), text=draw(texts), config=CONFIG, source=draw(st.none() | texts))]
    for _ in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from(answers))
        branch = parent.branched(draw(st.integers(0, len(parent.full))), draw(texts), CONFIG, None)
        answers.append(branch)
    logprobs = tuple(draw(st.lists(halves, max_size=5)))
    answers.append(Answer(kind="measured", text="x", logprobs=logprobs, copied=draw(st.none() | st.floats(0, 1))))
    cut = draw(st.integers(0, len(answers) - 1))
    one = Card(answers=tuple(answers[cut:]), continued=tuple(answers[:cut]), shown=0)
    for answer in draw(st.lists(st.sampled_from(answers), max_size=3)):
        one = one.with_bookmark(answer.id, is_set=True).with_note(answer.id, draw(texts))
    return one


@given(st.lists(cards(), max_size=3))
def test_an_exported_notebook_is_imported_as_it_was(kept: list[Card]) -> None:
    back = from_json(to_json(kept))
    assert back == kept
    notebook = Notebook()
    notebook.put(*added(back, {}, (), ()))
    assert list(notebook.cards) == kept
    assert added(back, {one.id: one for one in notebook.cards}, notebook.answers, notebook.layouts) == []


def test_an_import_adds_and_never_replaces() -> None:
    first = card(written(id="a"))
    other = Card(id=first.id, answers=(written(" see", id="a", parent="b"), written(" go", id="b"))).with_note("b", "!")
    notebook = Notebook([first])
    new = added([first, other], {first.id: first}, notebook.answers, notebook.layouts)
    notebook.put(*new)
    assert notebook.cards[0] == first
    renamed = notebook.cards[1]
    assert [one.text for one in renamed.answers] == [" see", " go"]
    assert renamed.answers[0].parent == renamed.answers[1].id != "b"
    assert list(renamed.notes) == [renamed.answers[1].id]
    notebook.undo()
    assert notebook.cards == (first,)


def test_a_card_that_was_just_generated_is_not_imported_again() -> None:
    """Its log-probabilities are rounded in the file, and may be unknown."""
    generated = card(replace(written("ab", id="a"), logprobs=(-0.123456789, math.nan)))
    assert added(from_json(to_json([generated])), {generated.id: generated}, {"a"}, {generated.id}) == []


def _changed(path: list[Any], value: Any) -> str:
    record = json.loads(to_json([Card(id="c", answers=(written(id="a"),))]))
    place = record
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(record)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "no JSON of a notebook"),
        ("[]", "no JSON of a notebook"),
        ("{}", "it is no notebook"),
        ("[" * 100_000, "nested too deeply"),
        (_changed(["version"], 2), "version 2"),
        (_changed(["extra"], 2), "needs the fields"),
        (_changed(["cards"], {}), "needs the fields"),
        (_changed(["cards", 0], 5), "card 1: answers is not a list"),
        (_changed(["cards", 0, "answers"], []), "card 1: it shows no answer"),
        (_changed(["cards", 0, "answers"], [5]), "card 1: an answer is no object"),
        (_changed(["cards", 0, "shown"], 7), "card 1: shown is 7"),
        (_changed(["cards", 0, "shown"], True), "shown cannot be True"),
        (_changed(["cards", 0, "notes"], {"b": "x"}), "it has no answer 'b'"),
        (_changed(["cards", 0, "bookmarks"], ["a\n"]), "it has no answer"),
        (_changed(["cards", 0, "continued"], 3), "continued cannot be 3"),
        (_changed(["cards", 0, "other"], 1), "unknown field 'other'"),
        (_changed(["cards", 0, "answers", 0, "text"], None), "text cannot be None"),
        (_changed(["cards", 0, "answers", 0, "logprobs"], "*"), "logprobs is not Base64"),
        (_changed(["cards", 0, "answers", 0, "seconds"], math.nan), "out of range"),
    ],
    ids=itertools.count(),
)
def test_what_is_no_notebook_is_refused_in_one_line(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        from_json(text)
    assert "\n" not in str(refusal.value)


def test_a_file_is_never_overwritten_and_a_bad_one_named(tmp_path: Path) -> None:
    path, kept = tmp_path / "n.json", [card()]
    export_file(kept, path)
    assert [one.id for one in import_file(path)] == [kept[0].id]
    with pytest.raises(StorageError, match="exists already"):
        export_file(kept, path)
    path.write_bytes(b"\xff")
    for bad in (path, tmp_path / "missing.json", tmp_path):
        with pytest.raises(TuiGptError, match=str(bad)):
            import_file(bad)


def test_the_page_on_the_notebook_names_every_field_of_an_answer() -> None:
    page = (Path(__file__).parents[4] / "docs" / "notebook.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]*) \|", page.split("Fields of an answer:")[1], re.MULTILINE)
    (answer,) = json.loads(to_json([card(written())]))["cards"][0]["answers"]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(answer)
    assert all(f"`{reason}`" in page for reason in END_WORDS)
