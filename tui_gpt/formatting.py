"""Format times, counts, sizes, rates, settings and bars for people, in the command line and in the app."""

import math

from tui_gpt.config import TokenizerName
from tui_gpt.events import SettingValue

_UNITS = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
_EIGHTHS = " ▏▎▍▌▋▊▉"


def format_duration(seconds: float) -> str:
    """Return e.g. `7 s`, `2.5 s`, `3 min 20 s`, `1 h 05 min`, `2 d 03 h`; `–` for an infinite or undefined time."""
    if not math.isfinite(seconds):
        return "–"
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def format_count(count: float) -> str:
    """Return three significant digits and a unit prefix: `812`, `12.3 k`, `10.8 M`."""
    for size, unit in _UNITS:
        if abs(count) >= size * 0.9995:
            scaled = count / size
            return f"{scaled:.{_decimals(scaled)}f} {unit}"
    return f"{count:.0f}"


def _decimals(scaled: float) -> int:
    return 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0


def format_loss(loss: float | None, *, is_estimate: bool, digits: int = 4) -> str:
    """Return e.g. `1.4521`; `~1.4521` for an estimate, `–` for None."""
    return "–" if loss is None else f"{'~' if is_estimate else ''}{loss:.{digits}f}"


def token_noun(tokenizer: TokenizerName) -> str:
    """Return what a token of that tokenizer is: `character`, `byte` or `token`."""
    return "token" if tokenizer == "bpe" else tokenizer


def format_rate(characters_per_second: float) -> str:
    """Return e.g. `12.3 k chars/s`."""
    return f"{format_count(characters_per_second)} chars/s"


def format_bytes(count: float) -> str:
    """Return e.g. `812 B` or `1.12 MB`, in powers of a thousand."""
    counted = format_count(count)
    return f"{counted}B" if " " in counted else f"{counted} B"


def text_name(corpus: str) -> str:
    """Return a short name of a text: the last part of a path, a name as it is."""
    return corpus.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or corpus


def format_age(seconds: float) -> str:
    """Return `just now` or e.g. `5 min ago`, `3 h ago`, `2 d ago`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def format_setting(value: SettingValue) -> str:
    """Return e.g. `5e-4`, `0.02`, `1,000`; anything but a number as it is."""
    if isinstance(value, float) and 0.0 < abs(value) < 0.01:
        mantissa, _, exponent = f"{value:.3e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def bar(fraction: float, cells: int, *, empty: str = "·") -> str:
    """Return a bar of `cells` cells, `fraction` of which is filled to an eighth of a cell, the rest with `empty`."""
    eighths = round(max(0.0, min(1.0, fraction)) * cells * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(cells, empty)
