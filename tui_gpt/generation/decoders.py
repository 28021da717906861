"""Choose the decoder: the C extension if it is available, on several threads for several texts, else NumPy."""

import ctypes
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tui_gpt.config import SampleConfig
from tui_gpt.cores import available_cores
from tui_gpt.generation.decoder import Decoder, NumpyDecoder, Uniforms
from tui_gpt.generation.kernel.decoder import KernelDecoder
from tui_gpt.generation.kernel.library import library
from tui_gpt.generation.kernel.packing import PackedModel, as_packed
from tui_gpt.generation.weights import Floats, Ints, Model

TEXTS_PER_THREAD = 2
"""At least this many, because the texts of one thread share each weight that is read from memory."""


class Generator(Protocol):
    """A decoder that can generate; see `Decoder`."""

    @property
    def logits(self) -> Floats:
        """See `Decoder.logits`."""

    def start(self, tokens: Ints, count: int = 1) -> Floats:
        """See `Decoder.start`."""

    def advance(self, tokens: Ints) -> Floats:
        """See `Decoder.advance`."""

    def generate(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """See `Decoder.generate`."""


class DecoderFactory:
    """Makes the decoders of one model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def numpy(self) -> NumpyDecoder:
        """Return a new decoder that can also score a text (`logits_along`)."""
        return NumpyDecoder(self._model)

    def logits_along(self, tokens: Ints) -> Iterator[Floats]:
        """Read a new text (T,); yield logits (n, V) after each of its tokens, chunk by chunk."""
        return self.numpy().logits_along(tokens)

    @property
    def model_as_computed(self) -> Model:
        """The model with the weights that generators compute with: those of the C extension are rounded."""
        return self._model if self._compiled is None else as_packed(self._model)

    def decoder(self) -> Decoder:
        """Return a new decoder for any number of texts, in the calling thread."""
        compiled = self._compiled
        return self.numpy() if compiled is None else KernelDecoder(self._model, compiled, self._packed)

    @property
    def _compiled(self) -> ctypes.CDLL | None:
        """The C extension, if it is there and supports the model: one without blocks it does not."""
        return library() if self._model.config.n_layer else None

    def generator(self, count: int) -> Generator:
        """Return a new decoder for `count` texts."""
        compiled = self._compiled
        if compiled is None:
            return self.numpy()
        threads = max(1, min(available_cores(), count // TEXTS_PER_THREAD))
        parts = [KernelDecoder(self._model, compiled, self._packed) for _ in range(threads)]
        return parts[0] if threads == 1 else ThreadedDecoder(parts)

    @cached_property
    def _packed(self) -> PackedModel:
        return PackedModel(self._model)


class ThreadedDecoder:
    """Divides the texts among decoders, each in its own thread; ctypes releases the GIL during a call."""

    def __init__(self, parts: list[KernelDecoder]) -> None:
        self._parts: list[Decoder] = list(parts)
        self._threads = ThreadPoolExecutor(len(parts), "decoder")

    def start(self, tokens: Ints, count: int = 1) -> Floats:
        """See `Decoder.start`."""
        counts = [len(part) for part in np.array_split(np.arange(count), len(self._parts))]
        return np.concatenate(list(self._threads.map(lambda part, n: part.start(tokens, n), self._parts, counts)))

    @property
    def logits(self) -> Floats:
        """See `Decoder.logits`."""
        return np.concatenate([part.logits for part in self._parts])

    def advance(self, tokens: Ints) -> Floats:
        """See `Decoder.advance`."""
        return np.concatenate(list(self._threads.map(Decoder.advance, self._parts, self._divided(tokens))))

    def _divided(self, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Divide values of all texts (..., B) among the decoders."""
        return np.array_split(values, len(self._parts), axis=-1)

    def generate(self, config: SampleConfig, uniforms: Uniforms) -> tuple[Ints, Floats]:
        """See `Decoder.generate`."""
        columns = self._divided(uniforms)
        generated = self._threads.map(lambda part, drawn: part.generate(config, drawn), self._parts, columns)
        tokens, logits = zip(*generated, strict=True)
        return np.concatenate(tokens, axis=1), np.concatenate(logits, axis=1)
