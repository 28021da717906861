"""Measure the speed of generation: this program, nanoGPT's way to sample, `transformers`, the memory bound.

    python benchmarks/generate.py [rounds]

Weights are random: speed does not depend on them. Every contender generates beyond the context of 256 characters, once
per round, so that a busy moment of the machine affects all; medians of the rounds are compared. The last table is
measured with the model that comes with the program, if it is there. `transformers` takes part if it is installed; its
model has 1,024 positions, because its window cannot slide.
"""

import dataclasses
import gc
import importlib
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from peers import PlainGPT, Shape

from tui_gpt.config import PRESETS, SampleConfig
from tui_gpt.generation.decoder import Decoder, NumpyDecoder
from tui_gpt.generation.kernel.decoder import KernelDecoder
from tui_gpt.generation.kernel.library import OFF_VARIABLE, library, status
from tui_gpt.generation.kernel.packing import PackedModel, rounded_weights
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.sampling import log_softmax
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.models.build import build_model
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.prior.stored import read_prior, without_prior
from tui_gpt.storage import paths
from tui_gpt.storage.checkpoint import read_checkpoint
from tui_gpt.text.corpora import load, read_corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.tensors import arrays_of

ROUNDS = 5
CONTEXT = 256
STREAMS = 16
READ_CHARACTERS = 4_000
GREEDY_CHARACTERS = 2_000
COPIED_FLOATS = 10_788_929
"""The number of weights of `classic`."""
GEMM_SIZE = 1024
CLASSIC_NUMPY, QUICK_NUMPY = "classic, one text, NumPy alone", "quick, one text, NumPy alone"
CLASSIC, CLASSIC_MANY = "classic, one text", f"classic, {STREAMS} at once"
QUICK, QUICK_MANY = "quick, one text", f"quick, {STREAMS} at once"
NANOGPT = "classic's shape, nanoGPT's way"
TRANSFORMERS = "classic's shape, transformers with cache"
Contender = Callable[[], float]
"""Generates for a while; returns characters per second."""


def main() -> None:
    """Print the tables as Markdown."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    text = load(read_corpus("tinyshakespeare")).text
    contenders = dict(all_contenders(text))
    gc.collect()
    gc.freeze()  # as the app does: with PyTorch's objects, a collection takes as long as many characters
    for contender in contenders.values():
        contender()
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    copies = []
    for _ in range(rounds):
        copies.append(copy_bandwidth())
        for name, contender in contenders.items():
            speeds[name].append(contender())
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    print("| contender | characters/s, median (min - max) |\n|---|---|")
    for name, values in speeds.items():
        print(f"| {name} | {medians[name]:,.0f} ({min(values):,.0f} - {max(values):,.0f}) |")
    print(f"\nThe C extension: {status()[1]}. PyTorch: {torch.get_num_threads()} threads, {gemm_speed():.0f} GFLOP/s.")
    print_ratios(medians)
    print_bounds(medians, statistics.median(copies))
    print_agreements(text)


def all_contenders(text: str) -> Iterator[tuple[str, Contender]]:
    """Return the contenders by name."""
    tokenizer = CharTokenizer.from_text(text)
    prompt = text[:CONTEXT]
    classic, quick = fresh_sampler("classic", text), fresh_sampler("quick", text)
    yield CLASSIC, lambda: streamed(classic, prompt, 1)
    yield CLASSIC_MANY, lambda: streamed(classic, prompt, STREAMS)
    yield QUICK, lambda: streamed(quick, prompt, 1)
    yield QUICK_MANY, lambda: streamed(quick, prompt, STREAMS)
    yield CLASSIC_NUMPY, lambda: streamed_by_numpy(classic, prompt)
    yield QUICK_NUMPY, lambda: streamed_by_numpy(quick, prompt)
    tokens = torch.from_numpy(tokenizer.encode(prompt).astype(np.int64))[None]
    yield NANOGPT, lambda: cropped(tokens, tokenizer.vocab_size)
    try:
        peer = transformers_peer(tokenizer.vocab_size)
    except ImportError:
        print("`transformers` is not installed here and does not take part.\n")
        return
    yield TRANSFORMERS, lambda: with_transformers(peer, tokens)


def fresh_model(preset: str, text: str) -> tuple[Model, CharTokenizer]:
    """Return an untrained model of that preset."""
    tokenizer = CharTokenizer.from_text(text)
    config = PRESETS[preset].model
    tokens = tokenizer.encode(text)[: int(0.9 * len(text))]
    prior = NgramPrior.fit(tokens, tokenizer.vocab_size, config.ngram_order) if config.ngram_order else None
    weights = arrays_of(build_model(config, tokenizer.vocab_size, seed=1).state_dict())
    return Model.of(config, tokenizer.vocab_size, weights, prior), tokenizer


def fresh_sampler(preset: str, text: str) -> Sampler:
    """Return its decoder factory."""
    model, tokenizer = fresh_model(preset, text)
    return Sampler(model, tokenizer, name=preset, step=0)


def streamed_by_numpy(sampler: Sampler, prompt: str) -> float:
    """Return our NumPy decoder as a contender."""
    with patch.dict(os.environ, {OFF_VARIABLE: "1"}):
        return streamed(sampler, prompt, 1, CONTEXT // 2)


def streamed(sampler: Sampler, prompt: str, count: int, length: int = 5 * CONTEXT // 2) -> float:
    """Return our decoder as a contender: two and a half windows, so that the window slides."""
    config = SampleConfig(max_new_tokens=length, seed=1)
    began = time.perf_counter()
    pieces = sampler.stream(prompt, config) if count == 1 else sampler.stream_many(prompt, config, count)
    written = count * sum(1 for _ in pieces)
    return written / (time.perf_counter() - began)


def cropped(tokens: torch.Tensor, vocab_size: int, count: int = 20) -> float:
    """Return nanoGPT's way as a contender: crop to the context and recompute everything for each character."""
    config = PRESETS["classic"].model
    peer = PlainGPT(Shape(vocab_size, config.block_size, config.n_layer, config.n_head, config.n_embd)).eval()
    began = time.perf_counter()
    peer.generate(tokens, count)
    return count / (time.perf_counter() - began)


def transformers_peer(vocab_size: int) -> Any:
    """Return a GPT-2 of classic's shape."""
    transformers: Any = importlib.import_module("transformers")  # a peer, not a requirement
    config = PRESETS["classic"].model
    shape = transformers.GPT2Config(
        vocab_size=vocab_size,
        n_positions=1_024,
        n_layer=config.n_layer,
        n_head=config.n_head,
        n_embd=config.n_embd,
        bos_token_id=0,
        eos_token_id=None,
    )
    return transformers.GPT2LMHeadModel(shape).eval()


def with_transformers(peer: Any, tokens: torch.Tensor, count: int = 100) -> float:
    """Return the `generate` of transformers, with its cache, as a contender."""
    began = time.perf_counter()
    made = peer.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=count,
        do_sample=True,
        temperature=0.8,
        pad_token_id=0,
        use_cache=True,
    )
    return float((made.shape[1] - tokens.shape[1]) / (time.perf_counter() - began))


def copy_bandwidth() -> float:
    """Return the bytes read and written per second by a copy of `FLOATS` floats on all cores."""
    source = torch.ones(COPIED_FLOATS)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        target.copy_(source)
        seconds.append(time.perf_counter() - began)
    return 2 * source.nbytes / statistics.median(seconds)


def gemm_speed() -> float:
    """Return the GFLOP/s of PyTorch's matrix product in single precision, on all its threads."""
    left, right = torch.rand(GEMM_SIZE, GEMM_SIZE), torch.rand(GEMM_SIZE, GEMM_SIZE)
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - began)
    return 2 * GEMM_SIZE**3 / statistics.median(seconds) / 1e9


def print_ratios(medians: dict[str, float]) -> None:
    """Print how many times faster one is than another."""
    rows = [
        ("classic, one text / nanoGPT's way", medians[CLASSIC] / medians[NANOGPT], "40, with AVX-512 60"),
        ("classic, one text, NumPy alone / nanoGPT's way", medians[CLASSIC_NUMPY] / medians[NANOGPT], "8"),
        (f"classic, {STREAMS} at once / one text", medians[CLASSIC_MANY] / medians[CLASSIC], "2.1, with AVX-512 3"),
        (f"quick, {STREAMS} at once / one text", medians[QUICK_MANY] / medians[QUICK], "3.7"),
    ]
    if TRANSFORMERS in medians:
        rows.insert(1, ("classic, one text / transformers", medians[CLASSIC] / medians[TRANSFORMERS], "5"))
        rows.insert(2, ("classic, NumPy alone / transformers", medians[CLASSIC_NUMPY] / medians[TRANSFORMERS], "1"))
    print("\n| ratio | measured | goal |\n|---|---|---|")
    for name, ratio, goal in rows:
        print(f"| {name} | {ratio:.1f} | {goal} |")


def print_bounds(medians: dict[str, float], bandwidth: float) -> None:
    """Print the fraction reached of the bound by reading every weight once per character."""
    print(f"\nCopy bandwidth (bytes read + written): {bandwidth / 1e9:.1f} GB/s. `classic`, one text, against it:\n")
    print("| weights | bytes | bound, characters/s | reached |\n|---|---|---|---|")
    for name, size, speed in (
        ("in single precision, as NumPy reads them", 4 * COPIED_FLOATS, medians[CLASSIC_NUMPY]),
        ("in half precision, as the C extension reads them", 2 * COPIED_FLOATS, medians[CLASSIC]),
    ):
        print(f"| {name} | {size / 1e6:.1f} M | {bandwidth / size:,.0f} | {speed * size / bandwidth:.0%} |")


def print_agreements(text: str) -> None:
    """Print how far the C extension's logits are from NumPy's, with the rounded and with the original weights."""
    folder, compiled = paths.shipped_dir() / "pretrained", library()
    if compiled is None or not folder.is_dir():
        print("\nNo compiled decoder or no shipped model here: their agreement is not measured.")
        return
    checkpoint = read_checkpoint(folder)
    info = checkpoint.info
    prior = read_prior(checkpoint.weights, info.vocab_size, info.config.model.ngram_order)
    shipped = Model.of(info.config.model, info.vocab_size, without_prior(checkpoint.weights), prior)
    unseen = CharTokenizer.from_dict(info.tokenizer).encode(text[-READ_CHARACTERS:]).astype(np.int64)
    classic, _ = fresh_model("classic", text)
    print(f"\nThe compiled decoder beside NumPy's over {READ_CHARACTERS:,} characters that the model never saw:\n")
    print(
        "| model | NumPy's weights | largest difference of a logit | nats apart | greedy text |\n|---|---|---|---|---|"
    )
    for name, model in (("shipped", shipped), ("classic, untrained", classic)):
        fast = KernelDecoder(model, compiled, PackedModel(model))
        for kind, other in (("in single precision", model), ("rounded as in C", rounded(model))):
            print_agreement(f"{name} | {kind}", fast, NumpyDecoder(other), unseen)
    print("\nGoals: 1e-4 where both read the same weights, 0.001 nats where not, and greedy text equal over 2,000.")


def print_agreement(label: str, fast: Decoder, plain: Decoder, text: Ints) -> None:
    """Print a row: both read the same text, then each generates a greedy text."""
    rows = [read_through(decoder, text) for decoder in (fast, plain)]
    losses = [-log_softmax(row)[np.arange(len(row)), text[1:]].mean() for row in rows]
    greedy = [greedy_text(decoder, text[:1]) for decoder in (fast, plain)]
    same = next((k for k, pair in enumerate(zip(*greedy, strict=True)) if pair[0] != pair[1]), GREEDY_CHARACTERS)
    difference = float(np.abs(rows[0] - rows[1]).max())
    print(f"| {label} | {difference:.1e} | {abs(losses[0] - losses[1]):.6f} | equal over {same:,} |")


def rounded(model: Model) -> Model:
    """Return the model with the weights that the C extension stores."""
    networks = [{name: stored(name, weights) for name, weights in network.items()} for network in model.networks]
    return dataclasses.replace(model, networks=networks)


def stored(name: str, weights: Floats) -> Floats:
    """Return a weight, rounded if it is a matrix."""
    is_table = name.endswith("embedding") and name != "prior_embedding"
    if weights.ndim < 2 or is_table or name.startswith("induction."):
        return weights
    halves, scale = rounded_weights(weights)
    return halves.astype(np.float32) * np.float32(scale)


def read_through(decoder: Decoder, tokens: Ints) -> Floats:
    """Return logits (n - 1, V) after each but the last of tokens (n,)."""
    rows = [decoder.start(tokens[:1])[0]]
    rows += [decoder.advance(tokens[t : t + 1])[0] for t in range(1, len(tokens) - 1)]
    return np.stack(rows)


def greedy_text(decoder: Decoder, prompt: Ints) -> list[int]:
    """Return GREEDY_CHARACTERS tokens, always the most likely."""
    decoder.start(prompt)
    tokens, _ = decoder.generate(SampleConfig(temperature=0.0), np.zeros((GREEDY_CHARACTERS, 1)))
    return tokens[:, 0].tolist()  # type: ignore[no-any-return]  # integers


if __name__ == "__main__":
    main()
