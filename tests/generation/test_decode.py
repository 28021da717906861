"""The fast ways to read on agree with the oracle, which recomputes everything for every character."""

import ctypes
import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from tests.generation import oracle
from tests.generation.writers import CONFIGS, TEXT, TOKENIZER, V, tiny_model, tiny_prior
from tui_gpt.gpt.decode import Decoder, Reader, context_start, plain_decoder, reach
from tui_gpt.gpt.kernel_decode import KernelDecoder
from tui_gpt.gpt.packing import PackedModel
from tui_gpt.models.build import LanguageModel
from tui_gpt.models.classic import Classic
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.training.compute.device import using_cores

TOKENS = TOKENIZER.encode(TEXT).astype(np.int64)
Way = Callable[[LanguageModel, NgramPrior | None], Decoder]


@pytest.fixture(params=["plain", "kernel"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways to read on."""
    if request.param == "plain":
        return plain_decoder
    library = request.getfixturevalue("library")
    return lambda model, prior: KernelDecoder(library, PackedModel(model, prior))


def names(way: Way) -> list[str]:
    """The models that `way` can read with."""
    return list(CONFIGS) if way is plain_decoder else [name for name in CONFIGS if CONFIGS[name].n_layer]


@functools.cache
def greedy_text(name: str) -> list[int]:
    """What the oracle writes."""
    return oracle.written(tiny_model(name), TOKENS[:5].tolist(), 2_000, lambda row: int(row.argmax()), tiny_prior(name))


@pytest.mark.parametrize(("position", "start"), [(0, 0), (8, 0), (9, 6), (14, 6), (15, 12), (20, 12), (21, 18)])
def test_a_full_window_keeps_its_newest_quarter(position: int, start: int) -> None:
    assert context_start(position, 8) == start


@pytest.mark.parametrize("block_size", [1, 2, 3, 7, 16])
def test_the_window_rule_is_the_oracles(block_size: int) -> None:
    for position in range(60):
        assert (
            list(oracle.window(range(position), block_size))
            == list(range(position))[context_start(position, block_size) :]
        )


@functools.cache
def oracle_logits(name: str, begin: int) -> torch.Tensor:
    """(38, V): after 3 to 40 characters of the text from `begin` on.

    The first prompt is 3 long, of which a classic model sees what its window holds.
    """
    model, prior = tiny_model(name), tiny_prior(name)
    prompt = begin + (max(0, 3 - model.config.block_size) if isinstance(model, Classic) else 0)
    return torch.stack([oracle.next_logits(model, TOKENS[prompt : begin + n].tolist(), prior) for n in range(3, 41)])


def test_every_logit_is_the_oracles(way: Way) -> None:
    """Within 1e-4, from the first character to far beyond the window, for one stream as for three."""
    for name in names(way):
        model, prior = tiny_model(name), tiny_prior(name)
        for begins in ((0,), (0, 20, 40)):
            batch = np.stack([TOKENS[begin : begin + 40] for begin in begins])
            reader = Reader(way(model, prior), model.config.block_size)
            steps = [reader.start(batch[:, :3]).copy()]
            steps += [reader.advance(batch[:, t]).copy() for t in range(3, 40)]
            expected = torch.stack([oracle_logits(name, begin) for begin in begins], dim=1)
            torch.testing.assert_close(torch.from_numpy(np.stack(steps)).double(), expected, atol=1e-4, rtol=0)


def test_greedy_text_is_the_oracles_over_2000_characters(way: Way) -> None:
    """The window slides two hundred times on the way."""
    for name in ("classic", "prior"):
        model, prior = tiny_model(name), tiny_prior(name)
        expected = greedy_text(name)
        reader = Reader(way(model, prior), model.config.block_size)
        logits, text = reader.start(TOKENS[None, :5]), []
        for _ in range(2_000):
            text.append(int(logits.argmax()))
            logits = reader.advance(np.array(text[-1:]))
        assert text == expected


def test_many_streams_fill_the_registers_and_leave_a_rest(way: Way) -> None:
    """Nineteen streams read as each would alone."""
    for name in names(way):
        model, prior = tiny_model(name), tiny_prior(name)
        batch = np.stack([TOKENS[i : i + 30] for i in range(19)])
        together = Reader(way(model, prior), model.config.block_size)
        alone = Reader(way(model, prior), model.config.block_size)
        logits, last = together.start(batch[:, :2]), alone.start(batch[-1:, :2])
        for t in range(2, 30):
            np.testing.assert_allclose(logits[-1], last[0], atol=1e-4)
            logits, last = together.advance(batch[:, t]), alone.advance(batch[-1:, t])


def test_a_decoder_starts_anew_as_often_as_asked(way: Way) -> None:
    for name in names(way):
        model, prior = tiny_model(name), tiny_prior(name)
        reader = Reader(way(model, prior), model.config.block_size)
        first = reader.start(TOKENS[None, :4]).copy(), reader.advance(TOKENS[4:5]).copy()
        reader.start(TOKENS[None, 7:9])
        reader.advance(TOKENS[9:10])
        again = reader.start(TOKENS[None, :4]).copy(), reader.advance(TOKENS[4:5]).copy()
        np.testing.assert_array_equal(first, again)


def test_a_text_that_is_read_at_once_is_predicted_as_one_that_is_read_on() -> None:
    """Both from its first character to far beyond the window."""
    for name in CONFIGS:
        model, prior = tiny_model(name), tiny_prior(name)
        every = np.concatenate(list(plain_decoder(model, prior).readings(TOKENS[:70])))
        assert every.shape == (70, V)
        reader = Reader(plain_decoder(model, prior), model.config.block_size)
        rows = [reader.start(TOKENS[None, :1]), *(reader.advance(TOKENS[t : t + 1]) for t in range(1, 70))]
        np.testing.assert_allclose(every, np.concatenate(rows), atol=1e-4)


def test_a_long_prompt_is_as_good_as_having_read_it(way: Way) -> None:
    """Of which only so much is read as can still matter."""
    for name in names(way):
        model, prior = tiny_model(name), tiny_prior(name)
        if model.config.architecture == "classic":
            continue
        text = np.tile(TOKENS, 5)[:1_500]
        assert reach(model.config) < 1_300
        reader = Reader(way(model, prior), model.config.block_size)
        reader.start(text[None, :1])
        for t in range(1, len(text)):
            expected = reader.advance(text[t : t + 1])
        for other in (text, text[::-1]):
            begun = way(model, prior).start(np.stack([text, other, text]))
            np.testing.assert_allclose(begun[0], expected[0], atol=1e-4)
            np.testing.assert_allclose(begun[2], expected[0], atol=1e-4)


def test_matches_reach_just_as_far_back_as_the_oracles(way: Way) -> None:
    """In a text that never repeats more than a few characters, so that the farthest match often is the longest."""
    text = np.random.default_rng(1).integers(0, V, 1_200)
    model, prior = tiny_model("induction"), tiny_prior("induction")
    reader = Reader(way(model, prior), model.config.block_size)
    logits = reader.start(text[None, :1_100])
    for t in range(1_100, 1_200):
        assert logits.shape == (1, V)
        logits = reader.advance(text[t : t + 1])
    expected = oracle.next_logits(model, text.tolist(), prior)
    torch.testing.assert_close(torch.from_numpy(logits[0]).double(), expected, atol=1e-4, rtol=0)


def test_rotary_positions_stay_exact_however_far_a_text_goes(way: Way) -> None:
    """After ten thousand characters a new reader of the last ones says the same."""
    model = tiny_model("modern")
    text = np.tile(TOKENS, 40)[:10_000]
    reader = Reader(way(model, None), model.config.block_size)
    reader.start(text[None, :5])
    for t in range(5, len(text)):
        expected = reader.advance(text[t : t + 1])
    np.testing.assert_allclose(way(model, None).start(text[None]), expected, atol=1e-4)


def test_a_model_in_training_mode_is_read_without_dropout_and_left_in_it() -> None:
    model = tiny_model("classic").train()
    state = model.dropout.generator.get_state()
    logits = plain_decoder(model, None).start(TOKENS[None, :8])
    assert model.training
    assert torch.equal(model.dropout.generator.get_state(), state)
    np.testing.assert_allclose(logits, model.eval()(torch.from_numpy(TOKENS[None, :8]))[0][:, -1].detach(), atol=1e-5)


def test_torch_gets_its_threads_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with using_cores(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_packed_weights_are_a_copy(library: ctypes.CDLL) -> None:
    """Training may go on while the kernel writes."""
    model = tiny_model("classic")
    decoder = KernelDecoder(library, PackedModel(model, None))
    decoder.start(TOKENS[None, :4])
    first = decoder.advance(TOKENS[4:5]).copy()
    decoder.start(TOKENS[None, :4])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    np.testing.assert_array_equal(decoder.advance(TOKENS[4:5]), first)
