"""Reads texts that grow at their end: what two of them begin with is read once."""

import threading

import numpy as np

from tui_gpt.generation.decoder import Decoder
from tui_gpt.generation.decoders import DecoderFactory
from tui_gpt.generation.weights import Ints


class TextReader:
    """Keeps a decoder that has read the latest text. Several threads may use it."""

    def __init__(self, decoders: DecoderFactory) -> None:
        self._decoders = decoders
        self._decoder: Decoder | None = None
        self._read: Ints = np.zeros(0, np.int64)
        """What it has read."""
        self._lock = threading.Lock()

    def read(self, tokens: Ints) -> Decoder:
        """Return a decoder of one text that has read `tokens` (T,), T at least one; the caller may advance it."""
        with self._lock:
            decoder, self._decoder = self._decoder, None
            if decoder is not None and self._is_extended(decoder, tokens):
                decoder.extend(tokens[len(self._read) :])
            else:
                decoder = self._decoders.decoder()
                decoder.start(tokens)
            self._decoder, self._read = decoder, tokens
            return decoder.fork(np.zeros(1, np.int64))

    def _is_extended(self, decoder: Decoder, tokens: Ints) -> bool:
        """Return whether reading the rest of `tokens` gives the logits that reading all of them at once would give."""
        begins = np.array_equal(tokens[: len(self._read)], self._read)
        return begins and len(tokens) - len(self._read) <= decoder.readable
