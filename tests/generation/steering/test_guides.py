"""Tokens chosen under constraints: never an illegal character, whatever the tokens are."""

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.character_sets import CharacterSet
from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError
from tui_gpt.generation.sampling import choose, log_softmax
from tui_gpt.generation.steering import pattern
from tui_gpt.generation.steering.guide import NO_TOKEN, Guide, is_guided
from tui_gpt.generation.steering.partial_characters import decoded, possible_code_points
from tui_gpt.generation.steering.repetition import penalized, repeated_by
from tui_gpt.generation.steering.vocabulary import Vocabulary
from tui_gpt.generation.weights import Ints
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.tokenizers.bpe import BpeTokenizer
from tui_gpt.text.tokenizers.byte import ByteTokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer

CHARACTERS = CharTokenizer.from_text("abcdefgh ABC.,\n0123é你")
BYTES = ByteTokenizer()
PAIRS = BpeTokenizer(((0xE4, 0xBD), (0x61, 0x62), (0xC3, 0xA9), (0x61, 0xC3), (257, 0x0A), (0xF0, 0x9F)))
TOKENIZERS = st.sampled_from([CHARACTERS, BYTES, PAIRS])
NO_PROMPT = np.zeros(0, np.int64)


def written(tokenizer: Tokenizer, config: SampleConfig, seed: int, steps: int = 6) -> tuple[str, Guide]:
    """Return a text of tokens drawn from random logits, and its guide."""
    guide = Guide(Vocabulary(tokenizer.texts, config), config, NO_PROMPT)
    random, tokens = np.random.default_rng(seed), list[int]()
    for _ in range(steps):
        token = guide.choose(4 * random.standard_normal(tokenizer.vocab_size), config, random.random())
        if token == NO_TOKEN:
            break
        tokens.append(token)
    stream = tokenizer.stream()
    return "".join(map(stream, tokens)), guide


@settings(max_examples=40)
@given(
    TOKENIZERS,
    st.sampled_from(["", "a-h", r"[:upper:]\n", "é你", "[:digit:].", r"\u4f00-\u4fff ", r"\U0001f600-\U0001f64f"]),
    st.sampled_from(["z", "aeé", "[:lower:]", "你"]),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.01, 1.0, 3.0]),
)
def test_no_illegal_character_is_ever_generated(
    tokenizer: Tokenizer, allow: str, forbid: str, seed: int, temperature: float
) -> None:
    config = SampleConfig(allow=allow, forbid=forbid, temperature=temperature, top_k=3, top_p=0.9)
    forbidden = CharacterSet.parse("forbid", forbid)
    try:
        text, guide = written(tokenizer, config, seed)
    except ConfigError:
        assert tokenizer is CHARACTERS or (allow, forbid) == ("a-h", "[:lower:]")
        return
    assert "\ufffd" not in text
    assert not any(character in forbidden for character in text)
    assert not allow or all(character in CharacterSet.parse("allow", allow) for character in text)
    assert guide.end is None


@settings(max_examples=20)
@given(
    TOKENIZERS,
    st.sampled_from([r"[a-c]+\.\d", "(ab|é)*你", r"\w{2},", r"[^\d]*", "a.c|b", r"(?=a)\w\w(?!c)."]),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.01, 1.0]),
)
def test_every_text_can_be_continued_to_a_match_and_ends_as_one(
    tokenizer: Tokenizer, expression: str, seed: int, temperature: float
) -> None:
    text, guide = written(tokenizer, SampleConfig(match=expression, temperature=temperature), seed)
    assert pattern.Pattern(expression).permits(text)
    is_complete = re.fullmatch(expression, text) is not None
    if guide.end == "match":
        assert is_complete
    elif guide.end is None:
        assert guide.end_at_limit in {None, "incomplete-match"}
        assert is_complete or guide.end_at_limit == "incomplete-match"


@pytest.mark.parametrize("expression", [r"[\u4e00-\u4e10]", r"[\U0001f600-\U0001f608]", "[一-丐]"])
def test_a_small_range_of_characters_is_found_byte_by_byte(expression: str) -> None:
    text, guide = written(BYTES, SampleConfig(match=expression), 1)
    assert re.fullmatch(expression, text)
    assert guide.end == "match"


def test_a_text_that_the_alphabet_cannot_continue_is_a_dead_end() -> None:
    text, guide = written(CHARACTERS, SampleConfig(match="abz"), 1)
    assert (text, guide.end) == ("ab", "dead-end")


def test_an_ended_text_has_no_tokens_and_names_its_reason_once() -> None:
    _, guide = written(CHARACTERS, SampleConfig(match="ab"), 1)
    assert guide.choose(np.zeros(CHARACTERS.vocab_size), SampleConfig(), 0.5) == NO_TOKEN
    assert [guide.take_end(), guide.take_end()] == ["match", None]


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("allow", "xyz", "allow leaves no character of the model's alphabet to begin with: change it"),
        ("match", "z", "match leaves no character of the model's alphabet to begin with: change it"),
        ("match", "(a", "match '(a' is not a valid regular expression: missing ) at position 2; correct it"),
        ("match", "a{5,2}", "match 'a{5,2}' is not a valid regular expression: "),
    ],
)
def test_what_nothing_can_match_is_refused(setting: str, value: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(CHARACTERS, SampleConfig(**{setting: value}), 1)  # type: ignore[arg-type]  # a name of SampleConfig
    assert str(caught.value).startswith(sentence)


def test_a_pattern_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern, "MAX_SECONDS", 0.05)
    slow = pattern.Pattern("(a|a)+(a|a)+(a|a)+b")
    slow.begin_token()
    with pytest.raises(ConfigError, match="takes too long: use one without a repetition in a repetition"):
        slow.is_complete("a" * 60)


def test_a_suspended_process_has_as_much_time_for_a_match_as_another(monkeypatch: pytest.MonkeyPatch) -> None:
    short = pattern.Pattern("a.c|b")
    later = time.monotonic() + 3600
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert short.permits("a")


@pytest.mark.parametrize("method", ["permits", "is_complete"])
def test_a_pattern_that_takes_too_much_memory_is_refused(method: str) -> None:
    class Endless:
        def fullmatch(self, *_: object, **__: object) -> None:
            raise MemoryError

    recursive = pattern.Pattern("(?R)")
    recursive._compiled = Endless()  # type: ignore[assignment]  # what `regex` does after gigabytes
    with pytest.raises(ConfigError, match=r"takes too long: .* and without recursion"):
        getattr(recursive, method)("a")


@given(st.integers(0, 2**32), st.sampled_from([0.3, 1.0]))
def test_permitted_tokens_keep_their_proportions(seed: int, temperature: float) -> None:
    logits = np.random.default_rng(seed).standard_normal(CHARACTERS.vocab_size)
    config = SampleConfig(allow="a-c", match="[ab].*", temperature=temperature)
    guide = Guide(Vocabulary(CHARACTERS.texts, config), config, NO_PROMPT)
    masked = np.where([character in "ab" for character in CHARACTERS.characters], log_softmax(logits), -np.inf)
    uniform = np.random.default_rng(seed + 1).random()
    assert guide.choose(logits, config, uniform) == choose(masked, config, np.array(uniform))


@given(st.integers(0, 0x10FFFF).filter(lambda code: not 0xD800 <= code < 0xE000), st.integers(1, 3))
def test_the_beginning_of_a_character_can_become_it(code: int, size: int) -> None:
    data = chr(code).encode()
    assert decoded(data) == (chr(code), b"")
    if size < len(data):
        assert decoded(data[:size]) == ("", data[:size])
        codes = possible_code_points(data[:size])
        assert code in codes
        assert all(chr(end).encode().startswith(data[:size]) for end in (codes[0], codes[-1]))


@given(st.lists(st.integers(0, 3), max_size=12), st.integers(1, 4))
def test_repeated_tokens_complete_a_sequence_of_the_window(tokens: list[int], length: int) -> None:
    begun = tokens[len(tokens) - length + 1 :]
    runs = [tokens[k : k + length] for k in range(len(tokens) - length + 1)]
    expected = sorted({run[-1] for run in runs if run[:-1] == begun})
    assert repeated_by(np.array(tokens, np.int64), length).tolist() == expected


def test_the_penalty_multiplies_log_probabilities_as_keskar_et_al_do_for_every_token_of_the_window() -> None:
    logprobs = log_softmax(np.array([1.0, 2.0, 3.0, 4.0]))
    tokens: Ints = np.array([3, 0, 2, 2])
    config = SampleConfig(repetition_penalty=1.5, repetition_length=1, repetition_window=3)
    assert penalized(logprobs, tokens, config).tolist() == pytest.approx([1.5, 1.0, 1.5, 1.0] * logprobs)
    assert penalized(logprobs, tokens, SampleConfig()).tolist() == logprobs.tolist()
    assert not is_guided(SampleConfig(stop=("a",), until="line", max_seconds=1.0))
