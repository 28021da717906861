"""The notebook: answers that can be written again, undo, and a history that forgives its file everything."""

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.config import SampleConfig
from tui_gpt.storage.files import atomic_write
from tui_gpt.tui.generate.notebook import Answer, Card, History, Notebook, as_markdown, as_text, provenance, save_copy

CONFIG = SampleConfig(seed=7)


def written(text: str = " be", prompt: str = "to", **settings: Any) -> Answer:
    """A finished answer."""
    return Answer(prompt=prompt, text=text, logprobs=(-math.log(2.0),) * len(text), config=CONFIG, **settings)


def card(*answers: Answer, shown: int = 0) -> Card:
    """A card that shows the answer of that number."""
    return Card(answers=answers or (written(),), shown=shown)


class TestAnswers:
    def test_an_answer_reads_as_given_kept_and_written(self) -> None:
        answer = Answer(prompt="to", kept=" be", text=" or")
        assert (answer.given, answer.full) == ("to be", "to be or")

    def test_a_continued_answer_is_given_all_that_was_written(self) -> None:
        longer = written().extended(CONFIG, None)
        assert (longer.given, longer.text, len(longer.logprobs)) == ("to be", "", 3)

    def test_again_is_given_what_the_answer_was_given(self) -> None:
        answer = Answer(prompt="to", kept=" be", text=" or", logprobs=(-1.0,) * 6)
        again = answer.again(CONFIG, None)
        assert (again.given, again.text, len(again.logprobs)) == ("to be", "", 3)

    @given(st.integers(0, 7))
    def test_a_branch_keeps_what_was_before_it(self, index: int) -> None:
        answer = Answer(prompt="to", kept=" be", text=" or", logprobs=(-1.0,) * 6)
        branch = answer.branched(index, "X", CONFIG, None)
        assert branch.given == answer.full[:index] + "X"
        assert len(branch.logprobs) == len(branch.kept)

    def test_bits_leave_out_what_is_not_known(self) -> None:
        assert Answer(text="ab", logprobs=(math.nan, -math.log(4.0))).bits_per_char == pytest.approx(2.0)
        assert Answer().bits_per_char is None


class TestUndo:
    def test_each_change_can_be_taken_back(self) -> None:
        notebook, first = Notebook(), card()
        notebook.put(first)
        notebook.put(first.with_answers(written(" see")))
        notebook.remove(first.id)
        assert notebook.undo() == {first.id}
        assert len(notebook.cards[0].answers) == 2
        notebook.undo()
        assert notebook.cards == (first,)
        notebook.undo()
        assert not notebook.cards
        assert notebook.undo() == set()

    def test_an_answer_that_grew_is_whole_in_the_past_too(self) -> None:
        notebook, beginning = Notebook(), Answer(prompt="to", config=CONFIG)
        first = card(beginning)
        notebook.put(first)
        notebook.put(first.with_answers(written()))
        grown = Answer(id=beginning.id, prompt="to", text=" be", config=CONFIG)
        notebook.collect_garbage(grown)
        notebook.undo()
        assert notebook.cards[0].answer == grown

    def test_an_answer_whose_card_is_gone_settles_nowhere(self) -> None:
        assert Notebook([card()]).collect_garbage(written()) is None

    def test_swiping_stays_within_the_answers(self) -> None:
        both = card(written("a"), written("b"))
        assert [both.swiped(by).shown for by in (-1, 0, 1, 5)] == [0, 0, 1, 1]

    def test_prompts_come_each_once_in_the_order_of_their_last_use(self) -> None:
        notebook = Notebook(card(written(prompt=prompt)) for prompt in ("a", "b", "a", ""))
        assert notebook.prompts() == ["b", "a"]


class TestHistory:
    def test_cards_come_back_as_they_were(self) -> None:
        kept = [card(written(), written(" ¶\n\x1b[", left_out="¶"), shown=1), card(written(prompt="漢字🙂"))]
        for one in kept:
            History().save(one)
        back = History().load()
        assert [(one.id, one.shown, len(one.answers)) for one in back] == [(kept[0].id, 1, 2), (kept[1].id, 0, 1)]
        assert [answer.full for one in back for answer in one.answers] == [
            answer.full for one in kept for answer in one.answers
        ]
        assert back[0].answer.config == CONFIG
        assert back[0].answer.logprobs == pytest.approx(kept[0].answer.logprobs, abs=1e-3)

    def test_what_was_changed_on_the_way_comes_back_too(self) -> None:
        changes = ((1, "temperature", 1.2), (2, "top_k", 5))
        History().save(card(written(changes=changes)))
        assert History().load()[0].answer.changes == changes

    @pytest.mark.parametrize("changes", [5, [5], [["1", "temperature", 1.0]], [[1, "seed", 3]], [[1, "top_p", 7.0]]])
    def test_an_answer_with_changes_that_are_none_is_passed_over(self, changes: Any) -> None:
        History().save(card(written(changes=((1, "temperature", 1.2),))))
        path = History().path
        path.write_text(path.read_text().replace('[[1,"temperature",1.2]]', json.dumps(changes)))
        assert History().load() == []

    @pytest.mark.parametrize("copied", [None, 0.0, 0.25, 1])
    def test_how_much_is_copied_comes_back_where_it_is_known(self, copied: float | None) -> None:
        History().save(card(written(copied=copied)))
        assert History().load()[0].answer.copied == copied

    @pytest.mark.parametrize("copied", ["much", [0.25], 1.5, -0.1, True, math.nan, 10**400])
    def test_an_answer_with_a_share_that_is_none_is_passed_over(self, copied: Any) -> None:
        History().save(card(written(copied=0.25)))
        path = History().path
        path.write_text(path.read_text().replace('"copied":0.25', f'"copied":{json.dumps(copied)}'))
        assert History().load() == []

    def test_unknown_probabilities_come_back_unknown(self) -> None:
        History().save(card(Answer(text="a", logprobs=(math.nan,))))
        assert math.isnan(History().load()[0].answer.logprobs[0])

    def test_only_the_last_cards_come_back(self) -> None:
        history = History()
        for number in range(5):
            history.save(card(written(prompt=str(number))))
        assert [one.answer.prompt for one in History().load(limit=2)] == ["3", "4"]

    def test_the_latest_layout_of_a_card_holds(self) -> None:
        history, first = History(), card(written("a"), written("b"))
        history.save(first)
        history.save(first.swiped(1))
        assert [one.answer.text for one in History().load()] == ["b"]

    def test_a_removed_card_stays_away(self) -> None:
        history, first = History(), card()
        history.save(first)
        history.remove(first.id)
        assert History().load() == []

    def test_saving_twice_writes_once(self) -> None:
        history, first = History(), card()
        history.save(first)
        size = history.path.stat().st_size
        history.save(first)
        assert history.path.stat().st_size == size

    def test_a_torn_last_line_is_passed_over_and_mended(self) -> None:
        history, first, second = History(), card(written("a")), card(written("b"))
        history.save(first)
        with history.path.open("a", encoding="utf-8") as file:
            file.write('{"answer":{"id":"x"')
        History().save(second)
        assert [one.answer.text for one in History().load()] == ["a", "b"]

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "[]",
            "null",
            "\x00\x01",
            '{"answer": 1}',
            '{"card": {"id": 1, "answers": [], "shown": 0}}',
            '{"card": {"id": "a", "answers": [[]], "shown": 0}}',
            '{"card": {"id": "a", "answers": ["gone"], "shown": 0}}',
            "[" * 100_000,
        ],
    )
    def test_a_damaged_line_costs_nothing_but_itself(self, line: str) -> None:
        history = History()
        history.save(card(written("a")))
        with history.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        History().save(card(written("b")))
        assert [one.answer.text for one in History().load()] == ["a", "b"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("text", 1), ("kind", "other"), ("config", {"temperature": -1}), ("logprobs", ["x"]), ("logprobs", "x")],
    )
    def test_an_answer_with_a_wrong_field_is_no_answer(self, name: str, value: object) -> None:
        history, bad = History(), card(written("bad"), written("good"))
        history.save(bad)
        lines = [json.loads(line) for line in history.path.read_text(encoding="utf-8").splitlines()]
        lines[0]["answer"][name] = value
        history.path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        assert [answer.text for answer in History().load()[0].answers] == ["good"]

    def test_a_long_history_is_read_from_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        history = History()
        for number in range(20):
            history.save(card(written(prompt=str(number))))
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.TAIL_BYTES", history.path.stat().st_size // 2)
        prompts = [one.answer.prompt for one in History().load()]
        assert prompts == [str(number) for number in range(20 - len(prompts), 20)]
        assert 5 < len(prompts) < 15

    def test_a_file_grown_beyond_reason_keeps_the_last_cards_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        history = History()
        for number in range(20):
            history.save(card(written(prompt=str(number))))
        size = history.path.stat().st_size
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.COMPACT_BYTES", size - 1)
        kept = [(one.id, one.shown, one.answer.full) for one in History().load(limit=5)]
        assert history.path.stat().st_size < size / 3
        assert [(one.id, one.shown, one.answer.full) for one in History().load()] == kept

    def test_an_old_card_that_was_changed_today_comes_back_with_all_its_answers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history, old = History(), card(written("first"), written("second"))
        history.save(old)
        for number in range(20):
            history.save(card(written(prompt=str(number))))
        history.save(old.swiped(1))
        size = history.path.stat().st_size
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.TAIL_BYTES", size // 2)
        kept = [one.id for one in History().load(limit=3)]
        assert kept[0] == old.id
        assert [answer.text for answer in History().load(limit=3)[0].answers] == ["first", "second"]
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.COMPACT_BYTES", size - 1)
        assert [one.id for one in History().load(limit=3)] == kept
        assert history.path.stat().st_size < size
        assert [answer.text for answer in History().load(limit=3)[0].answers] == ["first", "second"]

    def test_the_card_in_which_the_tail_begins_is_not_shown_with_half_its_answers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history = History()
        for prompt in ("a", "b"):
            history.save(card(*(written(prompt=prompt) for _ in range(4))))
        lines = history.path.read_bytes().splitlines(keepends=True)
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.TAIL_BYTES", sum(map(len, lines[2:])))
        assert [(one.answer.prompt, len(one.answers)) for one in History().load()] == [("b", 4)]

    def test_a_file_is_not_replaced_by_one_of_about_the_same_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        history = History()
        for _ in range(5):
            history.save(card())
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.COMPACT_BYTES", 10)
        before = history.path.stat().st_ino
        assert len(History().load()) == 5
        assert history.path.stat().st_ino == before

    def test_two_apps_lose_nothing_of_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One makes the file smaller while the other one has cards open that are dropped by it."""
        first, old = History(), card(written("old"))
        first.save(old)
        for number in range(20):
            first.save(card(written(prompt=str(number))))
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.COMPACT_BYTES", 10)
        assert len(History().load(limit=2)) == 2
        assert b"old" not in first.path.read_bytes()
        first.save(old.swiped(0))
        first.save(old.with_answers(written("new")))
        assert [answer.text for answer in History().load()[-1].answers] == ["old", "new"]

    def test_nothing_is_appended_to_a_file_that_is_being_replaced(self, monkeypatch: pytest.MonkeyPatch) -> None:
        other, late = History(), card(written("late"))
        for number in range(20):
            other.save(card(written(prompt=str(number))))
        monkeypatch.setattr("tui_gpt.tui.generate.notebook.COMPACT_BYTES", 10)
        monkeypatch.setattr("tui_gpt.tui.generate.notebook._PATIENCE_SECONDS", 0.0)

        def replace_late(path: Path, data: bytes) -> None:
            assert other.save(late) is False
            atomic_write(path, data)

        monkeypatch.setattr("tui_gpt.tui.generate.notebook.atomic_write", replace_late)
        History().load(limit=2)
        assert other.save(late)
        assert [one.answer.text for one in History().load(limit=3)][-1] == "late"

    def test_many_writers_tear_no_line(self) -> None:
        cards = [card(written("x" * 20_000)) for _ in range(40)]
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda one: History().save(one), cards))
        assert {one.id for one in History().load()} == {one.id for one in cards}

    def test_what_the_disk_refused_is_written_with_the_next_change(self, monkeypatch: pytest.MonkeyPatch) -> None:
        history, first = History(), card(written("a"))

        def refuse(*_: object) -> None:
            raise OSError(28, "full")

        with monkeypatch.context() as patch:
            patch.setattr("tui_gpt.tui.generate.notebook.append_lines", refuse)
            assert history.save(first) is False
        assert history.save(first)
        assert [one.answer.text for one in History().load()] == ["a"]

    @pytest.mark.parametrize("name", ["history.jsonl", "history.jsonl.lock"])
    @pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
    def test_nothing_is_appended_to_a_file_elsewhere(self, tmp_path: Path, name: str, kind: str) -> None:
        precious, history = tmp_path / "notes.txt", History(tmp_path / "here" / "history.jsonl")
        precious.write_text("precious\n")
        history.path.parent.mkdir()
        place = history.path.with_name(name)
        if kind == "link":
            place.symlink_to(precious)
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            place.hardlink_to(precious)
        assert history.save(card()) is False
        assert history.load() == []
        assert precious.read_text() == "precious\n"

    def test_a_disk_that_refuses_costs_only_the_history(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        history = History(tmp_path / "file" / "history.jsonl")
        assert history.save(card()) is False
        assert history.load() == []


class TestCopies:
    def test_text_is_the_shown_answer(self) -> None:
        assert as_text(card(written(" be"), written(" see"), shown=1)) == "to see"

    def test_markdown_has_every_answer_with_how_it_was_made(self) -> None:
        document = as_markdown(card(written(" be", model="my-run"), written(" see", model="shipped")))
        assert document.startswith("# to be\n")
        for line in ("my-run, seed 7, temperature 0.8, 3 characters", "to be", "shipped, seed 7", "to see"):
            assert line in document

    def test_backticks_cannot_end_the_code_block(self) -> None:
        assert "````text\nto```\n````" in as_markdown(card(written("```")))

    def test_provenance_names_only_filters_that_filter(self) -> None:
        answer = Answer(model="m", step=2_000, config=SampleConfig(seed=1, top_k=20))
        assert provenance(answer) == "m, step 2,000, seed 1, temperature 0.8, top-k 20, 0 characters"

    def test_provenance_tells_what_was_changed_and_where(self) -> None:
        changes = ((120, "temperature", 1.1), (200, "top_k", 5), (300, "temperature", 0.9))
        answer = Answer(model="m", config=SampleConfig(seed=1), changes=changes)
        expected = "m, seed 1, temperature 0.8 → 1.1 at 120 → 0.9 at 300, top-k all → 5 at 200, 0 characters"
        assert provenance(answer) == expected

    def test_a_copy_never_replaces_a_file(self, tmp_path: Path) -> None:
        first, second = (save_copy(card(), tmp_path) for _ in range(2))
        assert (first.name, second.name) == ("tui-gpt-to-be.txt", "tui-gpt-to-be-2.txt")
        assert first.read_text(encoding="utf-8") == second.read_text(encoding="utf-8") == "to be\n"

    def test_a_copy_of_signs_alone_has_a_name_too(self, tmp_path: Path) -> None:
        assert save_copy(card(written("!?", prompt="…")), tmp_path, markdown=True).name == "tui-gpt.md"
