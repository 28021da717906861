"""Charts for terminals that cannot show braille and line-drawing characters: the same cells in ASCII."""

from collections.abc import Sequence

from tui_gpt.tui.train.chart.canvas import Cell

_BRAILLE = range(0x2801, 0x2900)
_OF_STYLE = {"raw": ".", "train": "*", "validation": "o", "reference": "-", "small": "*"}
_OF_RUN = "*+ox#%"
_SYMBOLS = str.maketrans(
    {
        "─": "-", "│": "|", "┤": "+", "╰": "+", "┴": "^", "━": "*", "●": "O", "○": "o",
        "▸": ">", "‖": "=", "◆": "#", "«": "<", "▪": "'", "■": "X", "…": ".", "·": "-", "–": "-", "→": ">",
    }
)  # fmt: skip


def ascii_line(line: Sequence[Cell]) -> list[Cell]:
    """Return a line of a chart in ASCII, of the same width."""
    return [(_ascii(text, style), style) for text, style in line]


def _ascii(text: str, style: str) -> str:
    if text.isascii():
        return text
    dot = _OF_RUN[int(style[4])] if style.startswith("run-") else _OF_STYLE.get(style, "*")
    shown = text.translate(_SYMBOLS)
    return "".join(dot if ord(one) in _BRAILLE else one if one.isascii() else "?" for one in shown)
