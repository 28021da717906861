"""Both decoders agree with the oracle, which recomputes everything for every character."""

import ctypes
from collections.abc import Callable

import numpy as np
import pytest
import torch

import hatch_build
from tests.generation import oracle
from tests.generation.tiny_models import CONFIGS, TEXT, TOKENIZER, V, tiny_model, tiny_prior, tiny_weights, weights_of
from tui_gpt.config import SampleConfig
from tui_gpt.generation.decoder import Decoder, NumpyDecoder, context_start, receptive_field
from tui_gpt.generation.kernel.decoder import KernelDecoder
from tui_gpt.generation.kernel.packing import PackedModel
from tui_gpt.generation.sampling import choose
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.models.classic import Classic

TOKENS = TOKENIZER.encode(TEXT).astype(np.int64)
WARM = SampleConfig(temperature=1.0)
BLOCKS = [name for name, config in CONFIGS.items() if config.n_layer]
Make = Callable[[Model], Decoder]


@pytest.fixture(params=["numpy", "kernel"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a decoder of one kind."""
    if request.param == "numpy":
        return NumpyDecoder
    library: ctypes.CDLL = request.getfixturevalue("library")
    return lambda model: KernelDecoder(model, library, PackedModel(model))


@pytest.fixture
def makes(request: pytest.FixtureRequest) -> list[Make]:
    """Return a maker of each kind; only NumPy's without a compiler."""
    if hatch_build.find_compiler() is None:
        return [NumpyDecoder]
    library: ctypes.CDLL = request.getfixturevalue("library")
    return [NumpyDecoder, lambda model: KernelDecoder(model, library, PackedModel(model))]


def names(make: Make) -> list[str]:
    """Return the names of the tiny models that such a decoder supports."""
    return list(CONFIGS) if make is NumpyDecoder else BLOCKS


def read_along(decoder: Decoder, tokens: Ints, start: int = 1) -> Floats:
    """Return logits (n - start + 1, V) after the first `start` of tokens (n,) and after each later one."""
    rows = [decoder.start(tokens[:start])[0].copy()]
    rows += [decoder.advance(tokens[t : t + 1])[0].copy() for t in range(start, len(tokens))]
    return np.stack(rows)


@pytest.mark.parametrize(("position", "start"), [(0, 0), (8, 0), (9, 6), (14, 6), (15, 12), (20, 12), (21, 18)])
def test_a_full_window_keeps_its_newest_quarter(position: int, start: int) -> None:
    assert context_start(position, 8) == start


@pytest.mark.parametrize("block_size", [1, 2, 3, 7, 16])
def test_the_window_begins_where_the_oracles_does(block_size: int) -> None:
    for position in range(60):
        assert (
            list(oracle.window(range(position), block_size))
            == list(range(position))[context_start(position, block_size) :]
        )


PROMPTS = [
    pytest.param(prompt, name, marks=() if number % 2 == prompt // 3 else pytest.mark.slow)
    for number, name in enumerate(CONFIGS)
    for prompt in (1, 3)
]
"""Each model with a prompt of one or of three characters; with the other one, too, under `-m slow`."""


@pytest.mark.parametrize(("prompt", "name"), PROMPTS)
def test_every_logit_is_the_oracles(name: str, prompt: int, makes: list[Make]) -> None:
    """Within 1e-4, from the first characters to far beyond the window."""
    model, prior = tiny_model(name), tiny_prior(name)
    begin = max(0, prompt - model.config.block_size) if isinstance(model, Classic) else 0
    expected = torch.stack([oracle.next_logits(model, TOKENS[begin:n].tolist(), prior) for n in range(prompt, 41)])
    for make in makes[: 2 if name in BLOCKS else 1]:
        logits = torch.from_numpy(read_along(make(tiny_weights(name)), TOKENS[:40], prompt)).double()
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["classic", "prior"])
def test_greedy_text_is_the_oracles_over_many_characters(name: str, count: int, makes: list[Make]) -> None:
    """The window slides thirty or two hundred times on the way."""
    prompt, prior = TOKENS[:5], tiny_prior(name)
    expected = oracle.written(tiny_model(name), prompt.tolist(), count, lambda row: int(row.argmax()), prior)
    for make in makes:
        decoder = make(tiny_weights(name))
        decoder.start(prompt)
        tokens, _ = decoder.generate(SampleConfig(temperature=0.0), np.zeros((count, 1)))
        assert tokens[:, 0].tolist() == expected


@pytest.mark.parametrize("models", [3, pytest.param(1, marks=pytest.mark.slow, id="all")])
@pytest.mark.parametrize("count", [2, 3, 4, 7, 8, 16, 19])
def test_a_text_does_not_depend_on_the_number_of_texts_to_the_last_bit(make: Make, count: int, models: int) -> None:
    """Another count fills the registers differently; a difference in the last bit would change a draw.

    By default each count is tried with every third model.
    """
    uniforms = np.random.default_rng(count).random((60, count))
    for name in names(make)[count % models :: models]:
        model = tiny_weights(name)
        many = make(model)
        first = many.start(TOKENS[:9], count)
        tokens, logits = many.generate(WARM, uniforms)
        for b in {0, count // 2, count - 1}:
            one = make(model)
            np.testing.assert_array_equal(one.start(TOKENS[:9])[0], first[b])
            alone, its_logits = one.generate(WARM, uniforms[:, b : b + 1])
            np.testing.assert_array_equal(alone[:, 0], tokens[:, b])
            np.testing.assert_array_equal(its_logits[:, 0], logits[:, b])


def test_bursts_of_any_length_generate_the_same_text(make: Make) -> None:
    uniforms = np.random.default_rng(1).random((60, 2))
    for name in names(make):
        whole, parts = make(tiny_weights(name)), make(tiny_weights(name))
        whole.start(TOKENS[:9], 2)
        parts.start(TOKENS[:9], 2)
        pieces = [parts.generate(WARM, uniforms[a:b])[0] for a, b in ((0, 1), (1, 30), (30, 60))]
        np.testing.assert_array_equal(np.concatenate(pieces), whole.generate(WARM, uniforms)[0])


def test_a_decoder_can_be_started_again(make: Make) -> None:
    for name in names(make):
        decoder = make(tiny_weights(name))
        first = read_along(decoder, TOKENS[:20], 4)
        decoder.start(TOKENS[7:9], 3)
        decoder.advance(TOKENS[9:12])
        np.testing.assert_array_equal(read_along(decoder, TOKENS[:20], 4), first)


def test_scoring_a_text_computes_the_same_logits_as_generating_it() -> None:
    """From its first character to far beyond the window."""
    for name in CONFIGS:
        every = np.concatenate(list(NumpyDecoder(tiny_weights(name)).logits_along(TOKENS[:70])))
        np.testing.assert_allclose(every, read_along(NumpyDecoder(tiny_weights(name)), TOKENS[:70]), atol=1e-4)


def test_a_long_text_is_scored_in_chunks_that_see_each_other() -> None:
    for name in ("induction", "ensemble", "endless", "long"):
        text = np.tile(TOKENS, 3)[:700]
        every = np.concatenate(list(NumpyDecoder(tiny_weights(name)).logits_along(text)))
        np.testing.assert_allclose(every, read_along(NumpyDecoder(tiny_weights(name)), text), atol=1e-4)


def test_only_the_receptive_field_of_a_long_prompt_is_read(make: Make) -> None:
    """The logits are those after reading all of it."""
    for name in names(make):
        model = tiny_weights(name)
        if model.config.architecture == "classic":
            continue
        text = np.tile(TOKENS, 5)[:1_500]
        assert receptive_field(model.config) < 1_300
        *_, last = NumpyDecoder(model).logits_along(text)
        np.testing.assert_allclose(make(model).start(text)[0], last[-1], atol=1e-4)


def test_matches_go_exactly_as_far_back_as_the_oracles(make: Make) -> None:
    """The text never repeats more than a few characters, so that the farthest match is often the longest."""
    text = np.random.default_rng(1).integers(0, V, 1_200)
    logits = read_along(make(tiny_weights("induction")), text, 1_100)[-1]
    expected = oracle.next_logits(tiny_model("induction"), text.tolist(), tiny_prior("induction"))
    torch.testing.assert_close(torch.from_numpy(logits).double(), expected, atol=1e-4, rtol=0)


def test_matches_go_as_far_back_from_the_first_position_of_a_chunk_as_from_its_last() -> None:
    """A text that is scored sees what one that ends there sees."""
    text = np.random.default_rng(1).integers(0, V, 1_280)
    every = np.concatenate(list(NumpyDecoder(tiny_weights("induction")).logits_along(text)))
    for end in (1_026, 1_031, 1_040):
        alone = NumpyDecoder(tiny_weights("induction")).start(text[:end])[0]
        np.testing.assert_allclose(every[end - 1], alone, atol=1e-4)


def test_rotary_positions_stay_exact_however_long_a_text_becomes(make: Make) -> None:
    """After ten thousand characters a new decoder predicts the same from the last ones."""
    text = np.tile(TOKENS, 40)[:10_000]
    expected = read_along(make(tiny_weights("modern")), text, 9_000)[-1]
    np.testing.assert_allclose(make(tiny_weights("modern")).start(text)[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.0},
        {"temperature": 0.7},
        {"top_k": 3},
        {"top_k": 1_000},
        {"top_p": 0.8},
        {"top_p": 1e-6},
        {"min_p": 0.1},
        {"temperature": 1.5, "top_k": 9, "top_p": 0.7, "min_p": 0.05},
    ],
)
def test_characters_are_drawn_from_the_logits(make: Make, settings: dict[str, float]) -> None:
    """As `choose` does, with each setting, and with settings that change between two bursts."""
    decoder = make(tiny_weights("classic"))
    decoder.start(TOKENS[:9], 3)
    config = SampleConfig(**{"temperature": 1.0, **settings})  # type: ignore[arg-type]  # names are SampleConfig's
    for size, one in ((40, config), (5, WARM), (40, config)):
        uniforms = np.random.default_rng(size).random((size, 3))
        tokens, logits = decoder.generate(one, uniforms)
        np.testing.assert_array_equal(tokens, choose(logits, one, uniforms))


def test_both_decoders_generate_the_same_text(library: ctypes.CDLL) -> None:
    """Half precision is exact for the weights of these models; with others the texts may diverge after a while."""
    uniforms = np.random.default_rng(3).random((100, 3))
    for name in BLOCKS:
        model = tiny_weights(name)
        written = []
        for decoder in (NumpyDecoder(model), KernelDecoder(model, library, PackedModel(model))):
            decoder.start(TOKENS[:9], 3)
            written.append(decoder.generate(WARM, uniforms))
        np.testing.assert_array_equal(written[0][0], written[1][0])
        np.testing.assert_allclose(written[0][1], written[1][1], atol=1e-4)


def test_weights_that_overflow_yield_valid_characters(make: Make) -> None:
    """A stranger's weights may be finite but too large; the characters drawn are still in the alphabet."""
    model = tiny_model("prior")
    for parameter in model.parameters():
        parameter.data = torch.full_like(parameter, 3e38)
    decoder = make(weights_of(model, tiny_prior("prior")))
    with np.errstate(all="ignore"):
        decoder.start(TOKENS[:9], 2)
        for config in (
            WARM,
            SampleConfig(temperature=0.5, top_k=3, top_p=0.5, min_p=0.1),
            SampleConfig(temperature=0.0),
        ):
            tokens, _ = decoder.generate(config, np.full((5, 2), 0.5))
            assert ((tokens >= 0) & (tokens < V)).all()
