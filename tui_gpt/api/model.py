"""A trained model: load it, generate text, measure a text, explain a prediction."""

import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self, Unpack

from tui_gpt.api.settings import GenerateSettings, require_known
from tui_gpt.config import SampleConfig
from tui_gpt.errors import ConfigError, IncompatibleError, UsageError
from tui_gpt.generation.steering.pattern import check_pattern
from tui_gpt.generation.text_model import Piece, TextModel, without
from tui_gpt.metrics import TokenSize, perplexity
from tui_gpt.session import Session
from tui_gpt.storage.manifest import read_info
from tui_gpt.storage.runs.model_copy import copy_model

if TYPE_CHECKING:
    from tui_gpt.generation.explanation import Explanation

_MAX_SHOWN = 10


def load(source: str | Path | None = None) -> "Model":
    """Load a trained model, in a fraction of a second and without PyTorch.

    `source` is `"shipped"`, the name of a run (`"my-run"` is its best checkpoint, `"my-run@last"` the newest one), or
    the folder of a run or of a model that `Model.save` wrote. None is the newest run, or the shipped model if there is
    none. Raises NotFoundError, CheckpointError, IncompatibleError.
    """
    return Model.load(source)


class Model:
    """A trained model. A token of it is a character, unless it was trained with another tokenizer."""

    def __init__(self, text_model: TextModel, folder: Path | None = None) -> None:
        """Wrap a model of the session; `folder` is its checkpoint. Use `load` instead."""
        self._model = text_model
        self._folder = folder

    @classmethod
    def load(cls, source: str | Path | None = None) -> Self:
        """Load a model, see `tui_gpt.load`."""
        session, place = Session(), None if source is None else place_of(source)
        return cls(session.open_model(place), session.model_folder(place))

    def __repr__(self) -> str:
        loss = "" if self.val_loss is None else f", validation loss {self.val_loss:.4f}"
        return f"<Model {self.name}, step {self.step:,}{loss}>"

    @property
    def name(self) -> str:
        """Where it is from, e.g. `my-run@best`, `my-run@live` or `shipped`."""
        return self._model.name

    @property
    def step(self) -> int:
        """The training step that its weights are from."""
        return self._model.step

    @property
    def val_loss(self) -> float | None:
        """Validation loss in nats per token; None if it was not measured."""
        return self._model.val_loss

    def generate(
        self,
        prompt: str = "",
        n: int = 500,
        *,
        temperature: float = 0.8,
        seed: int | None = None,
        **settings: Unpack[GenerateSettings],
    ) -> str:
        """Return text that continues `prompt`, without the prompt: `n` tokens, or fewer if a condition ends it.

        `temperature` 0 always takes the most likely token, 1 draws from the model's probabilities. Equal seeds give
        equal text; None draws a new seed. `settings` are filters (`top_k`, `top_p`, `min_p`), stop conditions (`stop`,
        `until`, `max_seconds`), constraints (`allow`, `forbid`, `match`) and the repetition penalty, as for `tui-gpt
        generate`. Characters that the model does not know are left out of the prompt, with a UserWarning. Raises
        ConfigError for a setting out of range, an invalid one, and constraints that leave no character.
        """
        config = _sample_config(n, temperature, seed, settings)
        return "".join(piece.text for piece in self._model.stream(self._known(prompt), config))

    def stream(
        self,
        prompt: str = "",
        n: int = 500,
        *,
        temperature: float = 0.8,
        seed: int | None = None,
        **settings: Unpack[GenerateSettings],
    ) -> Iterator[Piece]:
        """Yield the tokens of `generate`, each as soon as it is drawn.

        A `Piece` has the `text` of the token, its `logprob` in nats and the ten most likely tokens with their
        probabilities, `alternatives`; both are the model's own, at temperature 1 and without filters. If a condition
        ends the text, a last piece without a token has the reason, `end`. Raises ConfigError as `generate` does;
        whether the constraints leave a character is known with the first token.
        """
        config = _sample_config(n, temperature, seed, settings)
        return self._model.stream(self._known(prompt), config, details=True)

    def score(self, text: str, *, after: str = "") -> "Score":
        """Return the log-probability of `text` after the context `after` (a line break if empty), token by token.

        Unknown characters are left out. Raises UsageError for a text without a known character.
        """
        known = without(text, self._model.unknown(text))
        if not known:
            raise UsageError("the model knows none of these characters: choose a text like its training text")
        pieces = tuple(self._model.score(known, after=self._known(after), details=True))
        return Score.of(known, pieces, self._model.unknown(text))

    def explain(self, text: str) -> "Explanation":
        """Return how the token after `text` is predicted, as numbers that add up.

        The `Explanation` of `tui_gpt.generation.explanation` has `probs` (V,), which is what `generate` draws from, the
        `shares` of the parts (V,) in nats, the `members` of the ensemble, the n-gram `prior` by order, `matches` and
        `occurrences`, and the `attention` (M, L, H, n) of every network, layer and head. Texts that begin alike are
        explained quickly one after the other.
        """
        return self._model.explain(self._known(text))

    def nearest(self, token: str, count: int = 10) -> tuple[tuple[str, float], ...]:
        """Return the tokens whose embeddings are the most similar to that of `token`, with the cosine, -1 to 1.

        Empty for a text that is not a token of the model.
        """
        return self._model.nearest(token, count)

    def copied(self, text: str) -> float | None:
        """Return the fraction of `text`, 0 to 1, in passages of 20 characters or more that the training text contains.

        None for a model without an n-gram prior, and for a shorter text.
        """
        return self._model.copied(text)

    def save(self, folder: str | Path) -> Path:
        """Copy the model into a new folder, to be loaded from there, and return the folder's real path.

        Raises UsageError if the folder exists or the model is that of a training in progress, IncompatibleError if
        the run has been trained further since the model was loaded, StorageError.
        """
        if self._folder is None:
            raise UsageError(f"{self.name} is in training: end the training, then load the run and save that model")
        if read_info(self._folder).step != self.step:
            raise IncompatibleError(f"the run of {self.name} was trained further: load the model again to save it")
        return copy_model(self._folder, Path(folder))

    def _known(self, prompt: str) -> str:
        """Return a prompt without the characters that the model does not know, and warn of them."""
        unknown = self._model.unknown(prompt)
        if unknown:
            shown = " ".join(map(repr, unknown[:_MAX_SHOWN])) + (" …" if len(unknown) > _MAX_SHOWN else "")
            warnings.warn(f"left out, as {self.name} does not know these characters: {shown}", stacklevel=3)
        return without(prompt, unknown)


@dataclass(frozen=True)
class Score:
    """How well a model predicts one text."""

    logprob: float
    """Natural logarithm of the probability of the whole text."""
    loss: float
    """Nats per token."""
    bits_per_char: float
    bits_per_byte: float
    perplexity: float
    """Per token."""
    unknown: str
    """The distinct characters that the model does not know; they do not count."""
    pieces: tuple[Piece, ...] = field(repr=False)
    """The tokens, each with its `text`, its `logprob` in nats, and the ten most likely tokens, `alternatives`."""

    @property
    def probability(self) -> float:
        """The probability of the whole text, 0 to 1."""
        return math.exp(self.logprob)

    @classmethod
    def of(cls, text: str, pieces: tuple[Piece, ...], unknown: str) -> Self:
        """Return the score of a text, which is not empty, from its tokens."""
        total = math.fsum(piece.logprob for piece in pieces)
        loss, size = -total / len(pieces), TokenSize.of(text, len(pieces))
        return cls(
            logprob=total,
            loss=loss,
            bits_per_char=size.bits_per_char(loss),
            bits_per_byte=size.bits_per_byte(loss),
            perplexity=perplexity(loss),
            unknown=unknown,
            pieces=pieces,
        )


def place_of(source: str | Path) -> str | Path:
    """Return a source in which a text with a separator is a path, since no name of a run has one."""
    return Path(source) if isinstance(source, str) and (os.sep in source or "/" in source) else source


def _sample_config(n: int, temperature: float, seed: int | None, settings: GenerateSettings) -> SampleConfig:
    """Return the settings of a generation. Raises UsageError for one that does not exist, ConfigError."""
    require_known(settings.keys(), GenerateSettings)
    chosen = {"max_new_tokens": n, "temperature": temperature, "seed": seed, **settings}
    try:
        config = SampleConfig.from_dict({**asdict(SampleConfig()), **chosen})
    except ConfigError as error:
        raise ConfigError(str(error).replace("max_new_tokens", "n"), error.setting) from None
    check_pattern(config.match)
    return config
