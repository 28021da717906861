"""Explanations add up, and are about what the sampler draws from."""

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.generation.test_tokens import BPE
from tests.generation.tiny_models import CONFIGS, TEXT, TOKENIZER, V, tiny_model, tiny_prior, tiny_sampler, weights_of
from tui_gpt.config import ModelConfig, SampleConfig
from tui_gpt.generation import decoders
from tui_gpt.generation.decoder import NumpyDecoder
from tui_gpt.generation.explanation import Explanation, tracing
from tui_gpt.generation.explanation.occurrences import TrainingText
from tui_gpt.generation.explanation.places import TokenPlaces
from tui_gpt.generation.explanation.shares import Probs
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.sampling import filtered
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.storage.paths import shipped_dir
from tui_gpt.text.tokenizers.byte import ByteTokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer

WARM = SampleConfig(max_new_tokens=1, temperature=1.0, seed=1)
TEXTS = [*(TEXT[:n] for n in (1, 30, 31, 60, 59)), TEXT[40:70], ""]
"""The cursor moves forward, back, far, and into another text."""


def drawn_from(sampler: Sampler, text: str) -> Probs:
    """Return (V,): the probabilities that the next token is drawn from."""
    generator = sampler._decoders.generator(1)
    probs = filtered(generator.start(sampler._prompt_tokens(text))[0], WARM)
    return np.asarray(probs / probs.sum())


def assert_adds_up(explanation: Explanation, probs: Probs) -> None:
    """The three divisions of the distribution add up to it."""
    np.testing.assert_allclose(explanation.probs, probs, atol=1e-6, rtol=0)
    np.testing.assert_allclose(np.mean([one.probs for one in explanation.members], axis=0), probs, atol=1e-6)
    size = len(probs)
    np.testing.assert_allclose(np.exp(sum(explanation.shares.values())) / size, probs, atol=1e-6)
    for member in explanation.members:
        logits = np.sum(list(member.terms.values()), axis=0, dtype=np.float64)
        np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), member.probs, atol=1e-6)
    if explanation.prior is not None:
        np.testing.assert_allclose(explanation.prior.order_probs.sum(axis=0), explanation.prior.probs, atol=1e-6)
        assert explanation.prior.order_weights.sum() == pytest.approx(1, abs=1e-5)
        assert len(explanation.prior.order_weights) == explanation.prior.order
    weights = explanation.attention.weights
    np.testing.assert_allclose(weights.sum(axis=-1), np.ones(weights.shape[:3]), atol=1e-5)


@pytest.fixture(params=["numpy", "kernel"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the samplers of a test generate with one decoder."""
    if request.param == "kernel":
        library: ctypes.CDLL = request.getfixturevalue("library")
        assert library
    else:
        monkeypatch.setattr(decoders, "library", lambda: None)
    return str(request.param)


def mild_sampler(name: str) -> Sampler:
    """Return a tiny model with smaller weights: single precision determines its probabilities to 1e-6."""
    model = tiny_model(name)
    for parameter in model.parameters():
        parameter.data *= 0.25
    return Sampler(weights_of(model, tiny_prior(name)), TOKENIZER, name=name, step=7)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_parts_add_up_to_what_the_sampler_draws_from(name: str, decoder: str) -> None:
    sampler = mild_sampler(name)
    assert decoder
    for text in TEXTS:
        explanation = sampler.explain(text)
        assert_adds_up(explanation, drawn_from(sampler, text))
        (piece,) = sampler.stream(text, WARM, details=True)
        assert [explanation.texts[token] for token in explanation.most_likely()] == [t for t, _ in piece.alternatives]


@pytest.mark.parametrize("tokenizer", [ByteTokenizer(), BPE])
def test_they_add_up_for_other_tokens_than_characters(tokenizer: Tokenizer) -> None:
    table = np.random.default_rng(1).normal(size=(tokenizer.vocab_size, tokenizer.vocab_size)).astype(np.float32)
    config = ModelConfig(block_size=8, n_layer=0, n_head=1, n_embd=1)
    model = Model.of(config, tokenizer.vocab_size, {"token_embedding.weight": table}, None)
    sampler = Sampler(model, tokenizer, name="random", step=1)
    for text in ("你 the", "é", ""):
        assert_adds_up(sampler.explain(text), drawn_from(sampler, text))


@pytest.mark.slow
def test_they_add_up_for_the_shipped_ensemble() -> None:
    sampler = Sampler.open(shipped_dir() / "pretrained", "shipped")
    text = "".join(piece.text for piece in sampler.stream("ROMEO:\n", replace(WARM, max_new_tokens=400)))
    for end in (7, 8, 400, 399, 380):
        assert_adds_up(sampler.explain(text[:end]), drawn_from(sampler, text[:end]))


def test_a_model_without_prior_and_blocks_has_one_part() -> None:
    explanation = tiny_sampler("bigram").explain("the")
    assert list(explanation.shares) == ["network"]
    assert explanation.prior is None
    assert explanation.occurrences is None
    assert explanation.matches == ()
    assert explanation.attention.mean().tolist() == [0.0] * len(explanation.attention.places)


def test_the_attention_is_pytorchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel returns the weights where the values are the unit vectors."""
    original, weights = F.scaled_dot_product_attention, list[torch.Tensor]()

    def recorded(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, is_causal: bool) -> torch.Tensor:
        one_hot = torch.eye(q.shape[-2]).expand(*q.shape[:-1], -1)
        weights.append(original(q, k, one_hot, is_causal=True)[0, :, -1])
        return original(q, k, v, is_causal=is_causal)

    monkeypatch.setattr(F, "scaled_dot_product_attention", recorded)
    for name in ("classic", "gelu", "modern", "induction", "ensemble"):
        model, prior = tiny_model(name).eval(), tiny_prior(name)
        weights.clear()
        text = TEXT[: model.config.block_size]
        tokens = torch.from_numpy(TOKENIZER.encode(text)).long()[None]
        with torch.no_grad():
            model(tokens, None, None if prior is None else torch.from_numpy(prior.rows(tokens.numpy())))
        expected = torch.stack(weights).view(model.config.networks, model.config.n_layer, *weights[0].shape)
        found = Sampler(weights_of(model, prior), TOKENIZER, name=name, step=1).explain(text).attention.weights
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_neighbouring_position_reads_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = NumpyDecoder._network_logits

    def counted(self: NumpyDecoder, tokens: Ints, last_only: bool = False) -> Floats:
        read.append(tokens.shape[1])
        return original(self, tokens, last_only)

    monkeypatch.setattr(NumpyDecoder, "_network_logits", counted)
    sampler = tiny_sampler("induction")
    for end in (60, 61, 60, 59, 40, 61, 63):
        sampler.explain(TEXT[:end])
    assert read == [48, 1, 1, 1, 1, 1, 2]


def test_a_cursor_in_a_long_text_sees_what_a_new_one_would_see() -> None:
    """Beyond the reach of the matches and of the cache, forward and back."""
    text, sampler = TEXT * 6, tiny_sampler("induction")
    for end in (1_500, 1_501, 1_476, 1_470, 30):
        np.testing.assert_allclose(
            sampler.explain(text[:end]).probs, tiny_sampler("induction").explain(text[:end]).probs, atol=1e-5
        )


def test_matches_are_where_they_are_in_the_text() -> None:
    """The text that matches is compared without regard to upper and lower case; unknown characters are not read."""
    text = "the→ fox. The fo"
    first, *others = tiny_sampler("induction").explain(text).matches
    assert (first.length, TOKENIZER.texts[first.follower], first.count) == (6, "x", 1)
    assert (text[slice(*first.place)], text[slice(*first.follower_place)]) == ("the→ fo", "x")
    assert [other.length for other in others] == sorted((other.length for other in others), reverse=True)


def test_the_prior_names_the_longest_context_that_it_counted() -> None:
    """An n-gram of three tokens has a context of two."""
    prior = tiny_sampler("induction").explain("jumps ov").prior
    assert prior is not None
    assert (prior.context, prior.order) == ("ov", 3)
    unknown = tiny_sampler("induction").explain("zq").prior
    assert unknown is not None
    assert (unknown.context, unknown.order) == ("q", 2)


def test_the_training_text_is_searched_for_the_end_of_the_text() -> None:
    found = tiny_sampler("prior").explain("zzz jumps ov").occurrences
    assert found is not None
    assert (found.length, found.count) == (9, 3)
    assert [(TOKENIZER.texts[token], count) for token, count in found.followers] == [("e", 3)]
    assert found.places[0].position == TEXT.index("over") + 2
    assert found.places[0].before.endswith("fox jumps ov")
    assert found.places[0].after.startswith("er the lazy")


def test_a_sample_of_the_training_text_is_searched_passage_by_passage() -> None:
    """Positions are those in the whole text; nothing is found across two passages, which all begin alike here."""
    tokens = TOKENIZER.encode(TEXT)
    prior = NgramPrior.fit(tokens, V, 3, folds=3, limit=30)
    text = TrainingText(prior, TOKENIZER.decode)
    passages = [TEXT[start : start + 10] for start in prior.counted_starts]
    assert [TOKENIZER.decode(passage) for passage in prior.counted] == passages
    found = text.find(TOKENIZER.encode("zzz" + passages[1][:4]).astype(np.int64))
    assert found is not None
    assert found.length == 4
    assert [place.position for place in found.places] == [start + 4 for start in prior.counted_starts]


def test_the_first_position_can_be_left_out_of_the_attention() -> None:
    attention = tiny_sampler("ensemble").explain(TEXT[:30]).attention
    whole, rest = attention.mean(layer=0, head=0, member=2), attention.mean(0, 0, 2, skip_first=True)
    assert whole.sum() == pytest.approx(1, abs=1e-5)
    assert rest.sum() == pytest.approx(1, abs=1e-5)
    assert rest[0] == 0
    np.testing.assert_allclose(rest[1:], whole[1:] / (1 - whole[0]), rtol=1e-4)
    assert tiny_sampler("ensemble").explain("T").attention.mean(skip_first=True).tolist() == [0.0]


def test_the_nearest_tokens_are_those_with_similar_embeddings() -> None:
    sampler, model = tiny_sampler("ensemble"), tiny_model("ensemble")
    rows = torch.stack([model.state_dict()[f"members.{m}.token_embedding.weight"] for m in range(3)])
    cosines = F.cosine_similarity(rows, rows[:, TOKENIZER.encode("e")], dim=-1).mean(0)
    found = sampler.nearest("e", 3)
    assert "e" not in dict(found)
    for token, cosine in found:
        assert cosine == pytest.approx(float(cosines[TOKENIZER.encode(token)]), abs=1e-5)
    assert found[0][1] == pytest.approx(float(cosines.sort().values[-2]), abs=1e-5)
    assert sampler.nearest("→") == ()


def test_tokens_are_where_they_are_in_the_text() -> None:
    """A token that is a part of a character has the place of that character."""
    text = "你é the\n"
    tokens = BPE.encode(text).astype(np.int64)
    of = TokenPlaces(BPE.texts).places
    places = of(text, tokens, "")
    assert [text[slice(*place)] for place in places] == ["你", "é", "é", " ", "the", "\n"]
    assert of(text, tokens[-2:], "") == places[-2:]
    assert of("", tokens[-1:], "") == ((0, 0),)
    assert of("a→b", np.array([97, 98]), "→") == ((0, 1), (2, 3))
    assert of("a\udce4b", np.array([97, 0xE4, 98]), "") == ((0, 1), (1, 2), (2, 3))


def test_two_models_never_set_the_number_of_blas_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both, inside, most = threading.Barrier(2), list[None](), list[int]()

    @contextlib.contextmanager
    def limit(limits: int) -> Iterator[None]:
        assert limits == 1
        inside.append(None)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.1)
        most.append(len(inside))
        yield
        inside.pop()

    monkeypatch.setattr(tracing, "_blas", lambda: SimpleNamespace(limit=limit))
    samplers = [tiny_sampler("classic"), tiny_sampler("modern")]
    with ThreadPoolExecutor(2) as threads:
        assert len(list(threads.map(lambda sampler: sampler.explain("the "), samplers))) == 2
    assert most == [1, 1]
