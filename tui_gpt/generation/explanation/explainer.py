"""Explain predictions of a model: from a text to an `Explanation`."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tui_gpt.generation.decoder import HISTORY
from tui_gpt.generation.explanation.attention import Attention
from tui_gpt.generation.explanation.explanation import Explanation, Match, Member, PriorUse
from tui_gpt.generation.explanation.occurrences import TrainingText
from tui_gpt.generation.explanation.places import Place, TokenPlaces
from tui_gpt.generation.explanation.shares import mixed_log_probs, shares_of
from tui_gpt.generation.explanation.tracing import Trace, TracingDecoder
from tui_gpt.generation.matches import match_lengths
from tui_gpt.generation.sampling import softmax
from tui_gpt.generation.weights import Floats, Ints, Model
from tui_gpt.prior.contributions import order_contributions
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.text.tokenizers.protocol import Tokenizer


class Explainer:
    """Explains the predictions of one model; may be called from several threads."""

    def __init__(self, model: Model, tokenizer: Tokenizer) -> None:
        """Explain `model`, whose weights are those that the sampler's decoder computes with."""
        self._model = model
        self._tokenizer = tokenizer
        self._texts: Sequence[str] = tokenizer.texts
        self._places = TokenPlaces(self._texts)
        self._decoder = TracingDecoder(model)

    def explain(self, text: str, tokens: Ints) -> Explanation:
        """Explain the prediction of the token after `text`, whose tokens are `tokens` (n,), at least one."""
        trace, model = self._trace(tokens), self._model
        places = self._places.places(text, tokens[-HISTORY:], self._tokenizer.unknown(text))
        seen = trace.attention.shape[-1]
        return Explanation(
            texts=self._texts,
            probs=np.exp(mixed_log_probs(trace.terms, tuple(trace.terms))),
            members=tuple(_member(trace, number) for number in range(len(model.networks))),
            shares=shares_of(trace.terms),
            prior=None if model.prior is None else self._prior_use(model.prior, tokens),
            matches=() if model.folded is None else _matches(tokens[-HISTORY:], model.folded, places),
            occurrences=None if self._training_text is None else self._training_text.find(tokens),
            attention=Attention(trace.attention, places[len(places) - seen :]),
            is_cut=len(tokens) > model.config.block_size,
        )

    def _trace(self, tokens: Ints) -> Trace:
        is_classic = self._model.config.architecture == "classic"
        return self._decoder.trace(tokens[-self._model.config.block_size :] if is_classic else tokens)

    def _prior_use(self, prior: NgramPrior, tokens: Ints) -> PriorUse:
        found = order_contributions(prior, tokens)
        context = tokens[len(tokens) - found.context_length :]
        return PriorUse(
            context=self._tokenizer.decode(context),
            order=found.context_length + 1,
            probs=np.asarray(found.probs.sum(axis=0)),
            order_probs=found.probs,
        )

    @cached_property
    def _training_text(self) -> TrainingText | None:
        prior = self._model.prior
        return None if prior is None else TrainingText(prior, self._tokenizer.decode)

    def nearest(self, token: int, count: int) -> list[tuple[int, float]]:
        """Return the tokens with the most similar embeddings, with the mean of the networks' cosines, and without
        `token` itself."""
        cosines = np.mean([_cosines(network["token_embedding"], token) for network in self._model.networks], axis=0)
        order = np.argsort(-cosines, kind="stable")
        return [(other, float(cosines[other])) for other in order.tolist() if other != token][:count]


def _cosines(embeddings: Floats, token: int) -> Floats:
    """Return (V,): the cosines of the angles between one row of (V, C) and each row."""
    lengths = np.maximum(np.linalg.norm(embeddings, axis=1), np.float32(1e-12))
    return np.asarray(embeddings @ embeddings[token] / (lengths * lengths[token]))


def _member(trace: Trace, number: int) -> Member:
    terms = {name: term[number] for name, term in trace.terms.items()}
    return Member(terms, np.asarray(softmax(sum(terms.values(), np.zeros(()))), np.float64))


def _matches(tokens: Ints, folded: Ints, places: tuple[Place, ...]) -> tuple[Match, ...]:
    """Return the longest match that each token followed, for the last `tokens` (n,) of a text and their places."""
    lengths = match_lengths(tokens[None], folded, 1)[0, 0]
    ends = len(tokens) - 1 - len(lengths) + np.arange(len(lengths))  # of the places compared with the newest token
    longest: dict[
        int, tuple[int, int, int]
    ] = {}  # for each follower: length of the longest match, its end, their number
    for end, length in zip(ends[::-1].tolist(), lengths[::-1].tolist(), strict=True):
        if not length:
            continue
        follower = int(tokens[end + 1])
        known, latest, count = longest.get(follower, (0, end, 0))
        if length > known:
            longest[follower] = (length, end, 1)
        elif length == known:
            longest[follower] = (known, latest, count + 1)
    ranked = sorted(longest.items(), key=lambda item: item[1][:2], reverse=True)
    return tuple(
        Match(length, follower, (places[end - length + 1][0], places[end][1]), places[end + 1], count)
        for follower, (length, end, count) in ranked
    )
