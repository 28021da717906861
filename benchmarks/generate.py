"""Writing speed: this program beside nanoGPT's way to sample and `transformers`, and what the memory would allow.

    python benchmarks/generate.py [rounds]

Weights are random: speed does not depend on them. Every contender writes beyond the context of 256 characters and takes
its turn in every round, so that a busy moment of the machine hits all; medians of the rounds are compared. The last
table is measured with the model that comes with the program, if it is there. `transformers` takes part if it is
installed; its model has room for 1,024 positions, as it cannot slide.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from peers import PlainGPT, Shape
from tui_gpt.gpt.decode import Decoder, Floats, Ints, Reader, plain_decoder, window_stride
from tui_gpt.gpt.kernel import kernel
from tui_gpt.gpt.kernel_decode import KernelDecoder
from tui_gpt.gpt.packing import Numbers, PackedModel, packed_weights
from tui_gpt.training.checkpoints.prior import split_prior

from tui_gpt.config import PRESETS, SampleConfig
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.sampling import log_softmax
from tui_gpt.models.build import LanguageModel, build_model, load_weights
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.storage import paths
from tui_gpt.storage.checkpoint import read_checkpoint
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.tokenizer import CharTokenizer

ROUNDS = 9
CONTEXT = 256
STREAMS = 16
READ_CHARACTERS = 4_000
GREEDY_CHARACTERS = 2_000
COPIED_FLOATS = 10_788_929
"""As many as `classic` has weights."""
CLASSIC, CLASSIC_MANY = "classic, one stream", f"classic, {STREAMS} at once"
QUICK, QUICK_MANY = "quick, one stream", f"quick, {STREAMS} at once"
NANOGPT = "classic's shape, nanoGPT's way"
TRANSFORMERS = "classic's shape, transformers with cache"
Contender = Callable[[], float]
"""Writes for a while; characters per second."""


def main() -> None:
    """Print the tables as Markdown."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    text = read_corpus("tinyshakespeare").text
    contenders = dict(all_contenders(text))
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
    print(f"\nKernel: {'yes' if kernel(wait=True) else 'no, plain PyTorch'}. Threads: {torch.get_num_threads()}.")
    print_ratios(medians)
    print_bounds(medians, statistics.median(copies))
    print_agreements(text)


def all_contenders(text: str) -> Iterator[tuple[str, Contender]]:
    """What is timed, by name."""
    tokenizer = CharTokenizer.from_text(text)
    prompt = text[:CONTEXT]
    classic, quick = fresh_sampler("classic", text), fresh_sampler("quick", text)
    yield CLASSIC, lambda: streamed(classic, prompt, 1)
    yield CLASSIC_MANY, lambda: streamed(classic, prompt, STREAMS)
    yield QUICK, lambda: streamed(quick, prompt, 1)
    yield QUICK_MANY, lambda: streamed(quick, prompt, STREAMS)
    tokens = torch.from_numpy(tokenizer.encode(prompt).astype(np.int64))[None]
    yield NANOGPT, lambda: cropped(tokens, tokenizer.vocab_size)
    try:
        peer = transformers_peer(tokenizer.vocab_size)
    except ImportError:
        print("`transformers` is not installed here and does not take part.\n")
        return
    yield TRANSFORMERS, lambda: with_transformers(peer, tokens)


def fresh_sampler(preset: str, text: str) -> Sampler:
    """A model of that preset that has learned nothing."""
    tokenizer = CharTokenizer.from_text(text)
    config = PRESETS[preset].model
    tokens = tokenizer.encode(text)[: int(0.9 * len(text))]
    prior = NgramPrior.fit(tokens, tokenizer.vocab_size, config.ngram_order) if config.ngram_order else None
    model = build_model(config, tokenizer.vocab_size, seed=1)
    return Sampler(model, tokenizer, name=preset, step=0, prior=prior)


def streamed(sampler: Sampler, prompt: str, count: int) -> float:
    """Ours: two and a half windows, so that the window slides."""
    config = SampleConfig(max_new_tokens=5 * CONTEXT // 2, seed=1)
    began = time.perf_counter()
    pieces = sampler.stream(prompt, config) if count == 1 else sampler.stream_many(prompt, config, count)
    written = count * sum(1 for _ in pieces)
    return written / (time.perf_counter() - began)


def cropped(tokens: torch.Tensor, vocab_size: int, count: int = 20) -> float:
    """nanoGPT's way: crop to the context, run everything again for each character."""
    config = PRESETS["classic"].model
    peer = PlainGPT(Shape(vocab_size, config.block_size, config.n_layer, config.n_head, config.n_embd)).eval()
    began = time.perf_counter()
    peer.generate(tokens, count)
    return count / (time.perf_counter() - began)


def transformers_peer(vocab_size: int) -> Any:
    """GPT-2 of classic's shape."""
    from transformers import GPT2Config, GPT2LMHeadModel  # type: ignore[import-not-found]  # a peer, not a requirement

    config = PRESETS["classic"].model
    shape = GPT2Config(
        vocab_size=vocab_size,
        n_positions=1_024,
        n_layer=config.n_layer,
        n_head=config.n_head,
        n_embd=config.n_embd,
        bos_token_id=0,
        eos_token_id=None,
    )
    return GPT2LMHeadModel(shape).eval()


def with_transformers(peer: Any, tokens: torch.Tensor, count: int = 100) -> float:
    """`generate` with its cache."""
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
    """Bytes a second that a copy of as many floats as `classic` has weights reads and writes, all cores at it."""
    source = torch.ones(COPIED_FLOATS)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        target.copy_(source)
        seconds.append(time.perf_counter() - began)
    return 2 * source.nbytes / statistics.median(seconds)


def print_ratios(medians: dict[str, float]) -> None:
    """How many times faster one is than another."""
    rows = [
        ("classic, one stream / nanoGPT's way", medians[CLASSIC] / medians[NANOGPT], 20),
        (f"classic, {STREAMS} at once / one stream", medians[CLASSIC_MANY] / medians[CLASSIC], 6),
        (f"quick, {STREAMS} at once / one stream", medians[QUICK_MANY] / medians[QUICK], 6),
    ]
    if TRANSFORMERS in medians:
        rows.insert(1, ("classic, one stream / transformers", medians[CLASSIC] / medians[TRANSFORMERS], 5))
    print("\n| ratio | measured | goal |\n|---|---|---|")
    for name, ratio, goal in rows:
        print(f"| {name} | {ratio:.1f} | {goal} |")
    print(f"\nquick, one stream: {medians[QUICK]:,.0f} characters/s (goal 2,500).")


def print_bounds(medians: dict[str, float], bandwidth: float) -> None:
    """What share of the bound is reached, were reading the memory all there is to do: of one stream every weight once a
    character, of many the weights once for all and each stream's keys and values."""
    print(f"\nCopy bandwidth (bytes read + written): {bandwidth / 1e9:.1f} GB/s. `classic` against it:\n")
    print("| streams: what they read for a character | bytes | bound, characters/s | reached |\n|---|---|---|---|")
    model = build_model(PRESETS["classic"].model, 65, seed=1)
    halves, whole = (PackedModel(model, None, numbers).matrix_bytes for numbers in (Numbers.HALF, Numbers.BYTES))
    cached = STREAMS * mean_cache_bytes()
    for name, size, streams, speed in (
        ("one: weights in single precision", sum(weight.nbytes for weight in model.parameters()), 1, medians[CLASSIC]),
        ("one: weights in half precision, as the kernel reads them", halves, 1, medians[CLASSIC]),
        (f"{STREAMS}: weights, keys and values in bytes", whole + cached, STREAMS, medians[CLASSIC_MANY]),
    ):
        bound = streams * bandwidth / size
        print(f"| {name} | {size / 1e6:.1f} M | {bound:,.0f} | {speed / bound:.0%} |")


def mean_cache_bytes() -> float:
    """Keys and values of one stream among many, with their scales: a full window starts anew with what its stride
    leaves."""
    shape = PRESETS["classic"].model
    positions = shape.block_size - window_stride(shape.block_size) / 2
    return 2 * shape.n_layer * (shape.n_embd + 4 * shape.n_head) * positions


def print_agreements(text: str) -> None:
    """How far the kernel is from the plain decoder: what is owed to rounding, and what to anything else."""
    folder, library = paths.shipped_dir() / "pretrained", kernel(wait=True)
    if library is None or not folder.is_dir():
        print("\nNo kernel or no shipped model here: their agreement is not measured.")
        return
    checkpoint = read_checkpoint(folder)
    weights, prior = split_prior(checkpoint.weights)
    shipped = build_model(checkpoint.info.config.model, checkpoint.info.vocab_size, seed=0)
    load_weights(shipped, weights)
    tokenizer = CharTokenizer.from_dict(checkpoint.info.tokenizer)
    unseen = tokenizer.encode(text[-READ_CHARACTERS:]).astype(np.int64)
    classic = build_model(PRESETS["classic"].model, tokenizer.vocab_size, seed=1)
    print(f"\nThe kernel beside the plain decoder over {READ_CHARACTERS:,} characters that the model never saw:\n")
    print("| model | kernel's weights | plain's weights | largest difference of a logit | nats apart | greedy text |")
    print("|---|---|---|---|---|---|")
    for name, model, its_prior in (("shipped", shipped, prior), ("classic, untrained", classic, None)):
        packed = {numbers: PackedModel(model, its_prior, numbers) for numbers in Numbers}
        for numbers in (Numbers.SINGLE, Numbers.BYTES, Numbers.HALF):
            label = "bytes, keys and values too" if numbers is Numbers.BYTES else numbers.name.lower()
            fast = KernelDecoder(library, packed[numbers])
            print_agreement(f"{name} | {label} | single", fast, model, its_prior, unseen)
        round_weights(model)
        fast = KernelDecoder(library, packed[Numbers.HALF])
        print_agreement(f"{name} | half | the same, rounded", fast, model, its_prior, unseen)
    print("\nGoals: 1e-4 where both read the same weights, 0.001 nats where not, and greedy text equal over 2,000.")


def print_agreement(
    label: str, kernel_decoder: Decoder, model: LanguageModel, prior: NgramPrior | None, text: Ints
) -> None:
    """One row: both read the same text, then each writes its own greedy one."""
    size = model.config.block_size
    decoders: list[Decoder] = [kernel_decoder, plain_decoder(model, prior)]
    fast, plain = (read_through(decoder, text, size) for decoder in decoders)
    losses = [-log_softmax(rows)[np.arange(len(rows)), text[1:]].mean() for rows in (fast, plain)]
    greedy = [greedy_text(decoder, text[:1], size) for decoder in decoders]
    same = next((k for k, pair in enumerate(zip(*greedy, strict=True)) if pair[0] != pair[1]), GREEDY_CHARACTERS)
    print(f"| {label} | {abs(fast - plain).max():.1e} | {abs(losses[0] - losses[1]):.6f} | equal over {same:,} |")


def round_weights(model: LanguageModel) -> None:
    """Give the model the weights that the kernel stores."""
    for name, parameter in model.named_parameters():
        is_vector = parameter.ndim < 2 or "embedding.weight" in name or "induction." in name
        if not is_vector:
            stored, factors = packed_weights(parameter.flatten(0, -2), Numbers.HALF)
            parameter.data = (stored.float() * factors[:, None]).view_as(parameter)


def read_through(decoder: Decoder, tokens: Ints, block_size: int) -> Floats:
    """Logits (n - 1, V) after each but the last of tokens (n,)."""
    reader = Reader(decoder, block_size)
    rows = [reader.start(tokens[None, :1])[0].copy()]
    rows += [reader.advance(tokens[t : t + 1])[0].copy() for t in range(1, len(tokens) - 1)]
    return np.stack(rows)


def greedy_text(decoder: Decoder, prompt: Ints, block_size: int) -> list[int]:
    """GREEDY_CHARACTERS tokens, always the likeliest."""
    reader = Reader(decoder, block_size)
    logits, written = reader.start(prompt[None]), []
    for _ in range(GREEDY_CHARACTERS):
        written.append(int(logits.argmax()))
        logits = reader.advance(np.array(written[-1:]))
    return written


if __name__ == "__main__":
    main()
