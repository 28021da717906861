"""The best library that this processor can run and that fits this version is loaded, or none."""

import ctypes
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.generation.test_decoder import BLOCKS, TOKENS, WARM, read_along
from tests.generation.tiny_models import tiny_weights
from tui_gpt.generation.decoder import NumpyDecoder
from tui_gpt.generation.kernel import library as kernel_library
from tui_gpt.generation.kernel.decoder import KernelDecoder
from tui_gpt.generation.kernel.library import VARIANTS, found_in, library, status
from tui_gpt.generation.kernel.packing import PackedModel

CPU_INFO = Path("/proc/cpuinfo")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the cache of other tests, and do not turn the C extension off."""
    monkeypatch.delenv("TUI_GPT_NO_KERNEL")
    monkeypatch.setattr(kernel_library, "found_in", found_in.__wrapped__)


def test_without_a_library_the_reason_is_returned(tmp_path: Path) -> None:
    assert found_in(tmp_path) == (
        None,
        "not built: there was no C compiler when tui-gpt was installed, or it failed",
    )


def test_the_best_variant_for_this_processor_is_used(built: Path) -> None:
    found, reason = found_in(built)
    assert found is not None
    best = VARIANTS[found.best_variant()] if len(list(built.iterdir())) == len(VARIANTS) else "baseline"
    assert Path(found._name).name == f"decoder-{best}.so"
    assert reason == f"compiled for {'any processor of this kind' if best == 'baseline' else best}"


@pytest.mark.skipif(not CPU_INFO.exists(), reason="the features of the processor are not listed here")
def test_the_features_of_the_processor_are_those_that_linux_lists(built: Path) -> None:
    """Whichever compiler made the library."""
    flags = set(re.findall(r"\w+", CPU_INFO.read_text(encoding="utf-8")))
    best = 0
    if {"avx2", "fma", "f16c"} <= flags:
        best = 2 if "avx512f" in flags else 1
    found = kernel_library.loaded(built / "decoder-baseline.so")
    assert found is not None
    assert found.best_variant() == best


def test_a_better_variant_that_is_missing_or_no_library_is_skipped(built: Path, tmp_path: Path) -> None:
    shutil.copy(built / "decoder-baseline.so", tmp_path)
    for variant in VARIANTS[1:]:
        (tmp_path / f"decoder-{variant}.so").write_text("rubbish")
    found, reason = found_in(tmp_path)
    assert found is not None
    assert reason == "compiled for any processor of this kind"


def test_a_file_that_is_no_library_is_treated_as_missing(tmp_path: Path) -> None:
    (tmp_path / "decoder-baseline.so").write_text("rubbish")
    assert found_in(tmp_path)[0] is None


def test_a_library_of_another_layout_is_refused(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its structs have other sizes, so it would read beyond their end."""
    shutil.copy(built / "decoder-baseline.so", tmp_path)
    monkeypatch.setattr(kernel_library, "LAYOUT", (*kernel_library.LAYOUT[:-1], 4))
    assert found_in(tmp_path) == (None, "it was built from another version of tui-gpt")


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    assert library() is None
    assert status() == (False, "turned off by TUI_GPT_NO_KERNEL")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_computes_the_same_logits(built: Path, variant: str) -> None:
    """Variants differ in the width of registers, and the baseline has no instruction for half precision."""
    best, _ = found_in(built)
    assert best is not None
    if VARIANTS.index(variant) > best.best_variant() or not (built / f"decoder-{variant}.so").exists():
        pytest.skip("this processor cannot run it")
    compiled = kernel_library.loaded(built / f"decoder-{variant}.so")
    assert compiled is not None
    for name in BLOCKS:
        model = tiny_weights(name)
        decoder = KernelDecoder(model, compiled, PackedModel(model))
        np.testing.assert_allclose(
            read_along(decoder, TOKENS[:60]), read_along(NumpyDecoder(model), TOKENS[:60]), atol=1e-4
        )
        decoder.start(TOKENS[:9], 13)
        tokens, logits = decoder.generate(WARM, np.tile(np.random.default_rng(1).random((30, 1)), 13))
        assert (tokens == tokens[:, :1]).all()
        assert (logits == logits[:, :1]).all()


def test_its_functions_check_the_types_of_their_arguments(library: ctypes.CDLL) -> None:
    with pytest.raises(ctypes.ArgumentError):
        library.read_texts(1, 2, 3)
