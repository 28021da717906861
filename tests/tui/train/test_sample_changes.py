"""The words of a sample that are new since the one before."""

from hypothesis import given
from hypothesis import strategies as st

from tui_gpt.events import Sampled
from tui_gpt.tui.train.record import RunView
from tui_gpt.tui.train.sample_changes import changed_spans, previous_sample


def new_words(before: str, after: str) -> list[str] | None:
    spans = changed_spans(before, after)
    return None if spans is None else [after[begin:end] for begin, end in spans]


def test_only_new_words_are_marked() -> None:
    assert new_words("the king is come", "the old king has come") == [" old", "has"]
    assert new_words("the king is come", "the king is come") == []
    assert new_words("the king", "the king is come") == [" is come"]


def test_a_text_with_nothing_in_common_is_not_marked() -> None:
    assert new_words("aaa bbb", "xyzzy,plugh") is None


@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_spans_are_within_the_text_and_in_order(before: str, after: str) -> None:
    ends = [end for span in changed_spans(before, after) or () for end in span]
    assert ends == sorted(ends)
    assert all(0 <= end <= len(after) for end in ends)


def test_the_sample_before_is_the_one_of_an_earlier_step() -> None:
    record = RunView()
    samples = [Sampled(step=step, prompt="", text=str(step)) for step in (10, 20)]
    record.apply_all(samples)
    assert previous_sample(record, samples[1]) is samples[0]
    assert previous_sample(record, samples[0]) is None
