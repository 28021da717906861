"""Load the C extension, which hatch_build.py has built for several instruction sets.

The program works without it. Nothing is compiled or written here.
"""

import ctypes
import functools
import os
from ctypes import POINTER, c_int64, c_void_p
from pathlib import Path

from tui_gpt.config import MATCH_LENGTH, MATCH_REACH, NGRAM_TABLES
from tui_gpt.generation.adaptive import tables
from tui_gpt.generation.kernel import structs

OFF_VARIABLE = "TUI_GPT_NO_KERNEL"
VARIANTS = ("baseline", "avx2", "avx512")
"""The libraries that may be in this folder, each for processors with more instructions than the one before."""
LAYOUT = (
    *(
        ctypes.sizeof(struct)
        for struct in (
            structs.Matrix,
            structs.Layer,
            structs.Network,
            structs.Grams,
            structs.Model,
            structs.State,
            structs.Sampling,
        )
    ),
    structs.PANEL,
    MATCH_LENGTH,
    MATCH_REACH,
    len(NGRAM_TABLES),
    ctypes.sizeof(structs.Predictor),
    tables.SLOT.itemsize,
    tables.LINE,
    tables.PROBES,
    tables.MATCH_HASHED,
    tables.MATCH_LONGEST,
    tables.LEVELS,
    tables.BINS,
    tables.MOST_COUNTED,
)


def library() -> ctypes.CDLL | None:
    """Return the C extension, or None if it is turned off or cannot be used."""
    return found_in(Path(__file__).parent)[0] if not os.environ.get(OFF_VARIABLE) else None


def status() -> tuple[bool, str]:
    """Return whether the C extension is used, and what it was compiled for or why it is not used."""
    if os.environ.get(OFF_VARIABLE):
        return False, f"turned off by {OFF_VARIABLE}"
    found, reason = found_in(Path(__file__).parent)
    return found is not None, reason


@functools.cache
def found_in(folder: Path) -> tuple[ctypes.CDLL | None, str]:
    """Return the best library in `folder` for this processor and its variant, or None and the reason."""
    baseline = loaded(folder / "decoder-baseline.so")
    if baseline is None:
        return None, "not built: there was no C compiler when tui-gpt was installed, or it failed"
    if _layout_of(baseline) != LAYOUT:
        return None, "it was built from another version of tui-gpt"
    for variant in reversed(VARIANTS[1 : 1 + baseline.best_variant()]):
        better = loaded(folder / f"decoder-{variant}.so")
        if better is not None and _layout_of(better) == LAYOUT:
            return better, f"compiled for {variant}"
    return baseline, "compiled for any processor of this kind"


def loaded(path: Path) -> ctypes.CDLL | None:
    """Return a library with its functions declared, or None if it cannot be loaded or lacks one of them."""
    try:
        library = ctypes.CDLL(str(path))
        model, state = POINTER(structs.Model), POINTER(structs.State)
        _declare(library, "head_floats", c_int64, model)
        _declare(library, "best_variant", c_int64)
        _declare(library, "layout", c_int64, POINTER(c_int64), c_int64)
        _declare(library, "read_texts", None, model, state, c_int64)
        _declare(library, "generate_texts", None, model, state, POINTER(structs.Sampling), c_void_p, c_int64, c_void_p)
        predictor, array = POINTER(structs.Predictor), c_void_p
        _declare(library, "adaptive_read", None, predictor, c_int64, c_int64, array, array, array)
        _declare(library, "adaptive_predict", None, predictor, array, c_int64, array, array, array)
    except (OSError, AttributeError):
        return None
    return library


def _declare(library: ctypes.CDLL, name: str, result: type[c_int64] | None, *arguments: type) -> None:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments


def _layout_of(library: ctypes.CDLL) -> tuple[int, ...]:
    values = (c_int64 * len(LAYOUT))()
    return tuple(values) if library.layout(values, len(values)) == len(values) else ()
