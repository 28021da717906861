"""Generate text with a trained model: takes a prompt, yields tokens with their text and log-probabilities.

`Sampler` is the `TextModel` of the interfaces. It checks its `Control` before every token. Each stream has its own
random generator, so equal seeds generate equal text, and training at the same time is not affected. It knows neither
the notebook nor what an interface does with a piece.
"""

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tui_gpt.config import SampleConfig
from tui_gpt.control import Control
from tui_gpt.generation.adaptive.adaptation import Adaptation, AdaptedDecoders
from tui_gpt.generation.branches import Level, TokenPath, TreeShape
from tui_gpt.generation.continuations import ContinuationSearch
from tui_gpt.generation.decoder import Uniforms
from tui_gpt.generation.decoders import DecoderFactory
from tui_gpt.generation.explanation import Explanation
from tui_gpt.generation.explanation.explainer import Explainer
from tui_gpt.generation.sampling import log_softmax
from tui_gpt.generation.steering.guide import NO_TOKEN, Guide, is_guided
from tui_gpt.generation.steering.guided_generator import GuidedGenerator, limit_pieces, with_ends
from tui_gpt.generation.steering.stops import stopped, within_time
from tui_gpt.generation.steering.until import conditions
from tui_gpt.generation.steering.vocabulary import Vocabulary
from tui_gpt.generation.text_model import CHANGEABLE, Changes, Piece
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.prior.novelty import CopyIndex
from tui_gpt.prior.stored import read_prior, without_prior
from tui_gpt.seeds import draw_seed
from tui_gpt.storage.checkpoint import read_checkpoint
from tui_gpt.text.tokenizers.choose import read_tokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer

ALTERNATIVES = 10
"""Number of tokens in `Piece.alternatives`."""
UNIFORMS_AT_ONCE = 256
BURST_SECONDS = 0.008
"""Time for which tokens are computed before they are yielded."""


class Sampler:
    """Generates and scores text with a model whose weights must not change."""

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        *,
        name: str,
        step: int,
        val_loss: float | None = None,
        val_is_estimate: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._frozen = DecoderFactory(model)
        self._decoders: DecoderFactory | AdaptedDecoders = self._frozen
        self._prior = model.prior
        self._tokenizer = tokenizer
        self._texts = tokenizer.texts
        self._clock = clock
        self.name = name
        self.step = step
        self.val_loss = val_loss
        self.val_is_estimate = val_is_estimate
        self.last_seed: int | None = None
        """The seed of the newest stream, drawn at random if its config had none."""

    @classmethod
    def open(cls, folder: Path, name: str) -> "Sampler":
        """Open the checkpoint in `folder`. Raises CheckpointError, IncompatibleError."""
        checkpoint = read_checkpoint(folder)
        info = checkpoint.info
        prior = read_prior(checkpoint.weights, info.vocab_size, info.config.model.ngram_order)
        return cls(
            Model.of(info.config.model, info.vocab_size, without_prior(checkpoint.weights), prior),
            read_tokenizer(info.tokenizer, info.vocab_size),
            name=name,
            step=info.step,
            val_loss=info.val_loss,
            val_is_estimate=info.val_is_estimate,
        )

    def unknown(self, text: str) -> str:
        """Return the distinct characters of `text` that are not in the alphabet, in order; prompts are used without."""
        return self._tokenizer.unknown(text)

    def stream(
        self, prompt: str, config: SampleConfig, control: Control | None = None, *, details: bool = False
    ) -> Iterator[Piece]:
        """Yield the continuation of `prompt`, one piece per token; an empty prompt is treated as a line break.

        `details` fills `alternatives`. Ends early when `control` stops, and applies its changes to the settings. Only
        the end of a long prompt has an effect (see `decoder.receptive_field`).
        """
        for (piece,) in self._generate(prompt, config, 1, control, details):
            yield piece

    def stream_many(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None = None
    ) -> Iterator[tuple[Piece, ...]]:
        """Generate `count` answers to one prompt at once; each item holds the next piece of every answer.

        Answer k (from 0) is what `stream` generates with the seed plus k, whatever `count` is.
        """
        yield from self._generate(prompt, config, count, control, details=False)

    def copied(self, text: str) -> float | None:
        """See `TextModel.copied`."""
        return None if self._copy_index is None else self._copy_index.copied_fraction(_code_points(text))

    @cached_property
    def _copy_index(self) -> CopyIndex | None:
        """The passages of the text that the prior counted, in characters whatever the tokens are."""
        if self._prior is None:
            return None
        return CopyIndex(_code_points(self._tokenizer.decode(part)) for part in self._prior.counted)

    def score(self, text: str, *, after: str = "", details: bool = False) -> Iterator[Piece]:
        """Yield one piece per token of `text`, with the log-probability that the model gave it.

        The context of each is what `stream` would have seen after the prompt `after`, which is a line break if empty.
        A long text is scored in chunks and takes one or two bytes of memory per token.
        """
        prompt = self._prompt_tokens(after)
        tokens = self._tokens_to_score(text, prompt)
        rows = itertools.chain.from_iterable(self._decoders.logits_along(tokens[:-1]))
        text_of = self._tokenizer.stream()
        scored = zip(itertools.islice(rows, len(prompt) - 1, None), tokens[len(prompt) :].tolist(), strict=True)
        for row, token in scored:
            logprobs = log_softmax(row)
            alternatives = self._most_likely(logprobs) if details else ()
            yield Piece(text_of(token), float(logprobs[token]), alternatives)

    def score_adapting(self, text: str) -> Iterator[tuple[Piece, float]]:
        """See `TextModel.score_adapting`."""
        adaptation = self._adaptation(None)
        text_of = self._tokenizer.stream()
        for tokens, logprobs, adapted in adaptation.scores(self._tokens_to_score(text, self._prompt_tokens(""))):
            for token, row, score in zip(tokens.tolist(), logprobs, adapted.tolist(), strict=True):
                yield Piece(text_of(token), float(row[token])), score

    def adapted(self, text: str, control: Control | None = None) -> "Sampler":
        """See `TextModel.adapted`."""
        adaptation = self._adaptation(control)
        adaptation.read(self._tokens_to_score(text, self._prompt_tokens("")), control or Control())
        adapted = copy.copy(self)
        adapted._decoders = AdaptedDecoders(self._frozen, adaptation.predictor)
        return adapted

    def _adaptation(self, control: Control | None) -> Adaptation:
        return Adaptation(self._frozen, self._prior, self._texts, control)

    def _tokens_to_score(self, text: str, prompt: Ints) -> Ints:
        """Return the tokens of `text` after those of a prompt, in one or two bytes each."""
        known = self._tokenizer.encode_compact(text)
        return np.concatenate([prompt.astype(known.dtype), known])

    def explain(self, text: str) -> Explanation:
        """See `TextModel.explain`. The first call copies the weights; later ones read only what is new in `text`."""
        return self._explainer.explain(text, self._prompt_tokens(text))

    def nearest(self, token: str, count: int = ALTERNATIVES) -> tuple[tuple[str, float], ...]:
        """See `TextModel.nearest`."""
        if token not in self._texts:
            return ()
        found = self._explainer.nearest(self._texts.index(token), count)
        return tuple((self._texts[other], cosine) for other, cosine in found)

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._frozen.model_as_computed, self._tokenizer)

    def continuations(
        self, prompt: str, shape: TreeShape, control: Control | None = None, *, path: TokenPath = ()
    ) -> Iterator[Level]:
        """See `TextModel.continuations`."""
        tokens = np.concatenate([self._prompt_tokens(prompt), np.array(path, np.int64)])
        yield from self._continuations.levels(tokens, shape, control or Control())

    @cached_property
    def _continuations(self) -> ContinuationSearch:
        return ContinuationSearch(self._frozen, self._texts)

    def _generate(
        self, prompt: str, config: SampleConfig, count: int, control: Control | None, details: bool
    ) -> Iterator[tuple[Piece, ...]]:
        """Yield the next piece of every answer until the length limit or a stop condition."""
        requests = control or Control()
        items = self._drawn(prompt, config, count, requests, details)
        if config.max_seconds is not None:
            items = within_time(items, config.max_seconds, count, lambda: self._clock() - requests.suspended_seconds)
        found = conditions(config)
        return stopped(items, found, count) if found else items

    def _drawn(
        self, prompt: str, config: SampleConfig, count: int, control: Control, details: bool
    ) -> Iterator[tuple[Piece, ...]]:
        """Yield the next piece of every answer, token by token, though they are computed in bursts."""
        streams = [self._tokenizer.stream() for _ in range(count)]
        guides = self._guides(prompt, config, count)
        for tokens, logits, changes in self._bursts(prompt, config, guides, count, control):
            logprobs = log_softmax(logits)
            chosen = np.take_along_axis(logprobs, tokens[..., None], -1)[..., 0].tolist()
            for t, row in enumerate(tokens.tolist()):
                if control.stop_requested:
                    return
                alternatives = [self._most_likely(one) for one in logprobs[t]] if details else itertools.repeat(())
                texts = (text_of(token) if token >= 0 else "" for text_of, token in zip(streams, row, strict=True))
                pieces = tuple(map(Piece, texts, chosen[t], alternatives, itertools.repeat(changes if t == 0 else ())))
                yield with_ends(pieces, row, guides) if NO_TOKEN in row else pieces
            if guides and all(guide.end for guide in guides):
                return
        if not control.stop_requested:
            yield from limit_pieces(guides)

    def _guides(self, prompt: str, config: SampleConfig, count: int) -> list[Guide]:
        """Return what chooses the tokens of each answer; none without constraints."""
        if not is_guided(config):
            return []
        vocabulary, tokens = Vocabulary(self._texts, config), self._prompt_tokens(prompt)
        return [Guide(vocabulary, config, tokens) for _ in range(count)]

    def _bursts(
        self, prompt: str, config: SampleConfig, guides: list[Guide], count: int, control: Control
    ) -> Iterator[tuple[Ints, Floats, Changes]]:
        """Yield tokens (n, count), the logits (n, count, V) they were drawn from, and the settings changed before them.

        A burst takes about BURST_SECONDS: short enough to react to `control` quickly, long enough to amortise the call.
        """
        self.last_seed = draw_seed() if config.seed is None else config.seed
        uniforms = _Uniforms(self.last_seed, count)
        generator = self._decoders.generator(count)
        generate = GuidedGenerator(generator, guides).generate if guides else generator.generate
        started = False
        generated, size = 0, 1
        while not control.stop_requested:
            config, changes = _changed(config, control)
            if generated >= config.max_new_tokens:
                return
            if not started:
                generator.start(self._prompt_tokens(prompt), count)
                started = True
            began = time.perf_counter()
            drawn = uniforms.take(min(size, config.max_new_tokens - generated))
            yield *generate(config, drawn), changes
            generated += len(drawn)
            pace = len(drawn) / max(time.perf_counter() - began, 1e-6)
            size = max(1, min(2 * size, int(BURST_SECONDS * pace), UNIFORMS_AT_ONCE))

    def _prompt_tokens(self, prompt: str) -> Ints:
        """Return the tokens of `prompt` (T,); without any, a line break, or token 0 if it is unknown."""
        tokens = self._tokenizer.encode(prompt)
        if not len(tokens):
            tokens = self._tokenizer.encode("\n")
        return tokens.astype(np.int64) if len(tokens) else np.zeros(1, np.int64)

    def _most_likely(self, logprobs: Floats) -> tuple[tuple[str, float], ...]:
        """Return the ALTERNATIVES most likely tokens for (V,) log-probabilities, with their probabilities."""
        order = np.argsort(-logprobs, kind="stable")[:ALTERNATIVES]
        return tuple((self._texts[other], math.exp(logprobs[other])) for other in order)


class _Uniforms:
    """Rows (count,) of random numbers in [0, 1), which do not depend on how many are taken at once; column k comes from
    its own generator, with the seed plus k."""

    def __init__(self, seed: int, count: int) -> None:
        self._generators = [np.random.default_rng((seed + k) % 2**63) for k in range(count)]
        self._left: Uniforms = np.zeros((0, count))

    def take(self, n: int) -> Uniforms:
        """Return the next n rows (n, count), n at most UNIFORMS_AT_ONCE."""
        if len(self._left) < n:
            columns = [generator.random(UNIFORMS_AT_ONCE) for generator in self._generators]
            self._left = np.concatenate([self._left, np.stack(columns, axis=1)])
        taken, self._left = self._left[:n], self._left[n:]
        return taken


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _changed(config: SampleConfig, control: Control) -> tuple[SampleConfig, Changes]:
    """Return the settings with the changes requested by `control`, and those changes; only CHANGEABLE ones apply."""
    requested = control.take_changes()
    names = [name for name in CHANGEABLE if name in requested and getattr(config, name) != requested[name]]
    if not names:
        return config, ()
    changed = SampleConfig.from_dict(asdict(config) | {name: requested[name] for name in names})
    return changed, tuple((name, getattr(changed, name)) for name in names)
