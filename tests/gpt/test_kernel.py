"""The compiled kernel: built once, whole or not at all, and used where it can be."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from tests.gpt.writers import TEXT, TOKENIZER, tiny_model, tiny_prior, tiny_sampler
from tui_gpt.config import SampleConfig
from tui_gpt.gpt import kernel_decode
from tui_gpt.gpt.decode import CachedDecoder
from tui_gpt.gpt.kernel import built, kernel
from tui_gpt.gpt.kernel_decode import Decoders, KernelDecoder, SideBySide

TOKENS = TOKENIZER.encode(TEXT).astype(np.int64)


def compiler(folder: Path, script: str) -> None:
    """A `cc` that does as `script` says."""
    folder.mkdir()
    (folder / "cc").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "cc").chmod(0o755)


def test_it_is_not_built_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, temporary_home: Path) -> None:
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    assert kernel(wait=True) is None
    assert not temporary_home.exists()


def test_without_a_compiler_there_is_none_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert built(tmp_path / "decode.so") is None


def test_a_compiler_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path / "bin", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert built(tmp_path / "cache" / "decode.so") is None
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_library_that_cannot_be_loaded_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path / "bin", 'while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert built(tmp_path / "decode.so") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert built(tmp_path / "file" / "decode.so") is None


def test_what_was_built_is_found_again_without_a_compiler(
    library: ctypes.CDLL, kernel_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert kernel() is library
    assert len(list((kernel_home / "cache").iterdir())) == 1


def test_a_model_without_blocks_is_read_plainly(library: ctypes.CDLL) -> None:
    assert isinstance(Decoders(tiny_model("classic"), None).fastest(1), KernelDecoder)
    assert isinstance(Decoders(tiny_model("bigram"), None).fastest(1), CachedDecoder)


def test_many_streams_are_shared_out_and_read_the_same(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_decode, "available_cores", lambda: 3)
    decoders = Decoders(tiny_model("prior"), tiny_prior("prior"))
    batch = np.stack([TOKENS[i : i + 12] for i in range(14)])
    shared, alone = decoders.fastest(14), decoders.fastest(1)
    assert isinstance(shared, SideBySide)
    logits = [shared.start(batch[:, :4]), *(shared.advance(batch[:, t]) for t in range(4, 12))]
    for row in range(14):
        expected = [alone.start(batch[row : row + 1, :4]).copy()]
        expected += [alone.advance(batch[row : row + 1, t]).copy() for t in range(4, 12)]
        np.testing.assert_allclose([step[row] for step in logits], np.concatenate(expected), atol=1e-4)


@pytest.mark.parametrize("name", ["classic", "modern", "prior"])
def test_the_same_seed_writes_the_same_text_with_and_without_it(
    name: str, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of these models lose nothing in half precision; others may part after a while."""
    config = SampleConfig(max_new_tokens=100, temperature=1.0, seed=3)
    compiled = [piece.text for piece in tiny_sampler(name).stream("the ", config)]
    columns = list(tiny_sampler(name).stream_many("the ", config, 9))
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    assert [piece.text for piece in tiny_sampler(name).stream("the ", config)] == compiled
    assert list(tiny_sampler(name).stream_many("the ", config, 9)) == columns


def test_half_precision_costs_less_than_a_thousandth_of_a_nat(library: ctypes.CDLL) -> None:
    """Also where weights are spread over many orders of magnitude, as a power of two brings each matrix into reach."""
    model = tiny_model("classic")
    for parameter in model.parameters():
        parameter.data += 1e-4
    model.state_dict()["head.weight"][3] = 1e-7
    fast, plain = Decoders(model, None).fastest(1), Decoders(model, None).plain()
    losses = np.zeros(2)
    for begin in range(0, 240, 12):
        fast.start(TOKENS[None, begin : begin + 1])
        plain.start(TOKENS[None, begin : begin + 1])
        for t in range(begin + 1, begin + 11):
            for way, decoder in enumerate((fast, plain)):
                row = decoder.advance(TOKENS[t : t + 1])[0].astype(np.float64)
                losses[way] += np.log(np.exp(row - row[TOKENS[t + 1]]).sum()) / 200
    assert abs(losses[0] - losses[1]) < 1e-3
    assert losses[0] != losses[1]
