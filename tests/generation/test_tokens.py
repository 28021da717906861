"""Generating and scoring with tokens that are not characters."""

import json
import math

import numpy as np
import pytest

from tests.cli.helpers import memory_streams, short_session
from tests.fakes import FakeSession
from tui_gpt.cli.headless.evaluate import score
from tui_gpt.cli.headless.generate import generate
from tui_gpt.config import ModelConfig, SampleConfig
from tui_gpt.escaping import spell_bytes
from tui_gpt.generation.sampler import Sampler
from tui_gpt.generation.text_model import CharacterLogprobs, Piece
from tui_gpt.generation.weights import Model
from tui_gpt.text.tokenizers.bpe import BpeTokenizer
from tui_gpt.text.tokenizers.byte import ByteTokenizer
from tui_gpt.text.tokenizers.protocol import Tokenizer

NEXT = "你é the\n"
"""The characters that the model below repeats; no byte occurs twice."""
BPE = BpeTokenizer(((0xE4, 0xBD), (256, 0xA0), (0x74, 0x68), (258, 0x65)))


def repeating(tokenizer: Tokenizer) -> Sampler:
    """Return a bigram model that writes NEXT over and over, by far the most likely."""
    tokens = tokenizer.encode(NEXT)
    table = np.zeros((tokenizer.vocab_size, tokenizer.vocab_size), np.float32)
    table[tokens, np.roll(tokens, -1)] = 20.0
    model = Model.of(
        ModelConfig(block_size=8, n_layer=0, n_head=1, n_embd=1),
        tokenizer.vocab_size,
        {"token_embedding.weight": table},
        None,
    )
    return Sampler(model, tokenizer, name="repeating", step=1)


BYTE = repeating(ByteTokenizer())
PAIRS = repeating(BPE)
CONFIG = SampleConfig(max_new_tokens=7, temperature=0.0)


def session_with(sampler: Sampler) -> FakeSession:
    session = short_session()
    session.open_model = lambda source: sampler  # type: ignore[method-assign]  # only this model
    return session


def test_a_character_of_three_bytes_arrives_with_the_third() -> None:
    assert [piece.text for piece in BYTE.stream("\n", CONFIG)] == ["", "", "你", "", "é", " ", "t"]
    assert [piece.text for piece in PAIRS.stream("\n", CONFIG)] == ["你", "", "é", " ", "the", "\n", "你"]


def test_an_unfinished_character_at_the_end_is_left_out() -> None:
    config = SampleConfig(max_new_tokens=4, temperature=0.0)
    assert "".join(piece.text for piece in BYTE.stream("\n", config)) == "你"


def test_answers_of_a_batch_have_separate_characters() -> None:
    columns = zip(*BYTE.stream_many("\n", CONFIG, 3), strict=True)
    assert ["".join(piece.text for piece in column) for column in columns] == ["你é t"] * 3


def test_the_alternatives_of_bytes_are_spelled() -> None:
    (piece, *_) = BYTE.stream("\n", CONFIG, details=True)
    assert spell_bytes(piece.alternatives[0][0]) == "<0xE4>"
    assert spell_bytes("ä\udcff") == "ä<0xFF>"
    streams, out, _ = memory_streams()
    generate(session_with(PAIRS), None, "\n", CONFIG, streams, samples=1, as_json=True)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["text"] for line in lines][:2] == ["你", ""]
    assert [line["alternatives"][0][0] for line in lines][:2] == ["你", "<0xC3>"]


def test_a_text_is_scored_by_token_and_measured_by_character_and_byte() -> None:
    streams = memory_streams()[0]
    text = NEXT * 4
    for sampler, tokens in ((BYTE, 40), (PAIRS, 24)):
        found = score(session_with(sampler), None, text, streams)
        assert (found.characters, found.tokens, found.left_out) == (28, tokens, 0)
        assert found.bits_per_char == pytest.approx(found.loss * tokens / 28 / math.log(2))
        assert found.bits_per_byte == pytest.approx(found.loss * tokens / 40 / math.log(2))


def test_log_probabilities_of_tokens_are_distributed_to_characters() -> None:
    spread = CharacterLogprobs()
    pieces = [Piece("", -1.0), Piece("你", -0.5), Piece("the", -3.0), Piece("x", -0.25)]
    assert [spread.take(piece) for piece in pieces] == [(), (-1.5,), (-1.0, -1.0, -1.0), (-0.25,)]
