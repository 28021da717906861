"""The tree of the most likely continuations, against scoring and against every continuation there is."""

import ctypes
import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from tests.generation.test_tokens import BYTE
from tests.generation.tiny_models import CONFIGS, TOKENIZER, tiny_sampler, tiny_weights
from tui_gpt.config import ModelConfig, SampleConfig
from tui_gpt.control import Control
from tui_gpt.escaping import spell_bytes
from tui_gpt.generation import decoders
from tui_gpt.generation.branches import Branch, Level, TreeShape, joined
from tui_gpt.generation.decoder import Decoder
from tui_gpt.generation.decoders import DecoderFactory
from tui_gpt.generation.reader import TextReader
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.text_model import Piece
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.text.tokenizer import CharTokenizer

PROMPT = "\nthe quick brown fox jumps over th"
SMALL = TreeShape(depth=3, width=4)


def bigram(characters: str = "abc\n") -> Sampler:
    """Return a bigram model with random probabilities."""
    size = len(characters)
    table = np.random.default_rng(3).normal(scale=1.5, size=(size, size)).astype(np.float32)
    model = Model.of(
        ModelConfig(block_size=4, n_layer=0, n_head=1, n_embd=1), size, {"token_embedding.weight": table}, None
    )
    return Sampler(model, CharTokenizer.from_text(characters), name="bigram", step=1)


def scored(sampler: Sampler, prompt: str, text: str) -> float:
    """Return the log-probability of `text` after a line break and `prompt`."""
    pieces = list(sampler.score(prompt.removeprefix("\n") + text))
    return math.fsum(piece.logprob for piece in pieces[-len(text) :])


def text_of(sampler: Sampler, branch: Branch) -> str:
    return joined([TOKENIZER.texts[token] for token in branch.path])


@pytest.mark.parametrize("name", CONFIGS)
def test_the_probabilities_of_a_tree_are_those_that_scoring_gives(name: str) -> None:
    sampler = tiny_sampler(name)
    prompt = PROMPT if CONFIGS[name].architecture == "modern" else PROMPT[: CONFIGS[name].block_size - 3]
    if CONFIGS[name].block_size < 4:
        prompt = "\n"
    levels = list(sampler.continuations(prompt, SMALL))
    assert [len(level.branches) for level in levels] == [4, 16, 16]
    for branch in [branch for level in levels for branch in level.branches][::5]:
        if CONFIGS[name].architecture == "modern" or len(prompt + text_of(sampler, branch)) <= CONFIGS[name].block_size:
            assert branch.total == pytest.approx(scored(sampler, prompt, text_of(sampler, branch)), abs=2e-4)


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize("name", ["ensemble", "classic"])
def test_a_tree_is_the_same_from_both_decoders(
    name: str, is_compiled: bool, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "library", lambda: library if is_compiled else None)
    found = list(tiny_sampler(name).continuations(PROMPT, SMALL))
    monkeypatch.setattr(decoders, "library", lambda: None)
    expected = list(tiny_sampler(name).continuations(PROMPT, SMALL))
    for one, other in zip(found, expected, strict=True):
        assert [branch.path for branch in one.branches] == [branch.path for branch in other.branches]
        totals = [[branch.total for branch in level.branches] for level in (one, other)]
        assert totals[0] == pytest.approx(totals[1], abs=1e-3)


def test_a_wide_tree_holds_every_continuation_and_children_sum_to_their_parent() -> None:
    sampler = bigram()
    levels = list(sampler.continuations("a", TreeShape(depth=3, width=64)))
    assert [len(level.branches) for level in levels] == [4, 16, 64]
    assert all(level.missed == -math.inf for level in levels)
    known = {branch.path: branch.cumulative for level in levels for branch in level.branches} | {(): 1.0}
    assert set(known) == {path for length in range(4) for path in itertools.product(range(4), repeat=length)}
    for path, cumulative in known.items():
        if len(path) < 3:
            assert math.fsum(known[*path, token] for token in range(4)) == pytest.approx(cumulative)


def test_whatever_is_more_likely_than_the_bound_is_in_the_tree() -> None:
    sampler, shape = bigram(), TreeShape(depth=4, width=2)
    everything = {
        branch.path: branch.total
        for level in sampler.continuations("a", TreeShape(depth=4, width=256))
        for branch in level.branches
    }
    found = dict[tuple[int, ...], float]()
    for length, level in enumerate(sampler.continuations("a", shape), 1):
        found |= {branch.path: branch.total for branch in level.branches}
        likely = {path for path, total in everything.items() if len(path) <= length and total > level.missed}
        assert likely
        assert likely <= found.keys()
        assert len(level.branches) <= shape.width**2
        parents = [found[branch.path[:-1]] for branch in level.branches if len(branch.path) > 1]
        assert all(branch.total <= parent for branch, parent in zip(level.branches, parents, strict=False))
    assert all(found[path] == pytest.approx(everything[path]) for path in found)


def test_a_tree_of_width_one_is_the_greedy_continuation() -> None:
    sampler = bigram()
    levels = list(sampler.continuations("a", TreeShape(depth=6, width=1)))
    text = "a"
    for level in levels:
        ((alternative, probability), *_) = next(iter(_last(sampler, text))).alternatives
        assert level.branches[0].text == alternative
        assert level.branches[0].probability == pytest.approx(probability)
        text += alternative


def _last(sampler: Sampler, prompt: str) -> Iterator[Piece]:
    return sampler.stream(prompt, SampleConfig(max_new_tokens=1, seed=0), details=True)


def test_a_path_continues_the_prompt_as_its_text_would() -> None:
    sampler = tiny_sampler("ensemble")
    (first,) = sampler.continuations("the fox", TreeShape(depth=1))
    longer = TOKENIZER.encode("the fox jumps")[len("the fox") :].tolist()
    (after,) = sampler.continuations("the fox", TreeShape(depth=1), path=tuple(longer))
    (expected,) = tiny_sampler("ensemble").continuations("the fox jumps", TreeShape(depth=1))
    assert first.branches != after.branches
    assert [branch.text for branch in after.branches] == [branch.text for branch in expected.branches]


def test_it_stops_between_two_levels() -> None:
    control, levels = Control(), list[Level]()
    for level in bigram().continuations("a", TreeShape(depth=6), control):
        levels.append(level)
        control.stop()
    assert len(levels) == 1
    assert not list(bigram().continuations("a", SMALL, control))


def test_parts_of_a_character_become_it_when_they_are_joined() -> None:
    levels = list(BYTE.continuations("\n", TreeShape(depth=3, width=1)))
    texts = [level.branches[0].text for level in levels]
    assert spell_bytes(texts[0]) == "<0xE4>"
    assert joined(texts) == "你"
    assert spell_bytes(joined(texts[:2])) == "<0xE4><0xBD>"


class Counting(DecoderFactory):
    """Counts the tokens that its decoders start with."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.started: list[int] = []

    def decoder(self) -> Decoder:
        decoder = super().decoder()
        start = decoder.start

        def counted(tokens: Ints, count: int = 1) -> Floats:
            self.started.append(len(tokens))
            return start(tokens, count)

        decoder.start = counted  # type: ignore[method-assign]  # to count the calls
        return decoder


@pytest.mark.parametrize(("name", "starts"), [("ensemble", [5, 9]), ("classic", [5, 15, 16, 9])])
def test_a_text_that_grows_is_read_once_while_that_changes_nothing(name: str, starts: list[int]) -> None:
    factory = Counting(tiny_weights(name))
    reader, tokens = TextReader(factory), TOKENIZER.encode("the fox jumps over the dog").astype(np.int64)
    for length in (5, 6, 12, 15, 16):
        found = reader.read(tokens[:length])
        assert found.logits == pytest.approx(factory.numpy().start(tokens[:length]), abs=1e-3)
        found.advance(np.array([0]))
    reader.read(tokens[1:10])
    assert factory.started == starts


def test_of_a_long_text_that_is_pasted_only_the_end_is_read() -> None:
    factory = Counting(tiny_weights("ensemble"))
    reader, tokens = TextReader(factory), np.resize(TOKENIZER.encode("the fox "), 2_000).astype(np.int64)
    for length in (8, 100, 2_000):
        assert reader.read(tokens[:length]).logits == pytest.approx(factory.numpy().start(tokens[:length]), abs=1e-3)
    assert factory.started == [8, 2_000]
