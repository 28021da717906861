"""What writes texts with a model: the kernel where it can be, in as many threads as pay, else PyTorch."""

import ctypes
import math

from tui_gpt.cores import available_cores
from tui_gpt.gpt.decode import PlainDecoder, plain_decoder
from tui_gpt.gpt.kernel import BUILD_SECONDS, PATIENCE_SECONDS, kernel
from tui_gpt.gpt.kernel_decode import MOST_THREADS, KernelDecoder
from tui_gpt.gpt.packing import Numbers, PackedModel
from tui_gpt.gpt.sharing import Pace, SideBySide, Together, thread_counts
from tui_gpt.gpt.streams import PlainStreams, Streams
from tui_gpt.models.build import LanguageModel
from tui_gpt.prior.ngram import NgramPrior
from tui_gpt.training.compute.device import using_cores

MANY = 4
"""Texts from which on threads take over some of them each; with fewer, they share out each step."""
_WAITS = math.ceil(2 * BUILD_SECONDS / PATIENCE_SECONDS)
"""As many cover both tries of the compiler; after a build that has failed, none of them takes any time."""
LEAST_TEXTS = 2
"""Of many texts as many at least go to each thread, as they share what is read for them."""


def _built_kernel() -> ctypes.CDLL | None:
    """The kernel, or None where it cannot be built: a build that is under way is waited for until the compiler is given
    up, as the plain path would write other texts."""
    return next(filter(None, (kernel(wait=True) for _ in range(_WAITS))), None)


class Decoders:
    """Makes what writes each text: the kernel where it can be, that is on the CPU and with blocks."""

    def __init__(self, model: LanguageModel, prior: NgramPrior | None) -> None:
        self._model = model
        self._prior = prior
        self._is_fit = model.config.n_layer > 0 and next(model.parameters()).device.type == "cpu"
        self._packed: PackedModel | None = None
        self._paces: dict[int, Pace] = {}
        """By how many texts they are of."""
        if self._is_fit:
            kernel()

    def plain(self) -> PlainDecoder:
        """A fresh decoder in PyTorch."""
        return plain_decoder(self._model, self._prior)

    def streams(self, batch_size: int) -> Streams:
        """Fresh streams for so many texts, compiled if they can be; the very first ones wait for the compiler."""
        library = _built_kernel() if self._is_fit else None
        if library is None:
            return self._plain(batch_size)
        if batch_size < MANY:
            return self._few(library, batch_size)
        return self._many(library, batch_size)

    def _plain(self, batch_size: int) -> Streams:
        """A decoder for each text: PyTorch's products are not the same numbers in another batch."""
        parts = [PlainStreams(self.plain(), self._model.config.block_size) for _ in range(batch_size)]
        return parts[0] if batch_size == 1 else SideBySide(parts, Pace([1]))

    def _few(self, library: ctypes.CDLL, batch_size: int) -> Streams:
        packed = self._packed_in_halves()
        decoder = KernelDecoder(library, packed)
        threads = min(available_cores(), MOST_THREADS) if packed.is_worth_sharing else 1
        return decoder if threads == 1 else Together(decoder, self._pace(batch_size, threads))

    def _many(self, library: ctypes.CDLL, batch_size: int) -> Streams:
        packed = self._packed_in_halves()
        threads = min(available_cores(), batch_size // LEAST_TEXTS)
        parts = [KernelDecoder(library, packed) for _ in range(threads)]
        return parts[0] if threads == 1 else SideBySide(parts, self._pace(batch_size, threads))

    def _pace(self, batch_size: int, threads: int) -> Pace:
        if batch_size not in self._paces:
            self._paces[batch_size] = Pace(thread_counts(threads))
        return self._paces[batch_size]

    def _packed_in_halves(self) -> PackedModel:
        """The weights in half precision, however many texts there are: another format could turn a draw, and equal
        seeds write equal texts."""
        if self._packed is None:
            with using_cores(1):
                self._packed = PackedModel(self._model, self._prior, Numbers.HALF)
        return self._packed
