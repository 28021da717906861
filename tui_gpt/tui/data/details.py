"""What the Data tab writes about a text: figures, encoding, omissions, losses, characters, and its beginning."""

import math
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from textual.content import Content

from tui_gpt.escaping import escape_controls
from tui_gpt.formatting import bar, format_bytes
from tui_gpt.prior.orders import MEASURED
from tui_gpt.prior.sizing import MIN_COUNTED
from tui_gpt.text.report import TextReport
from tui_gpt.tui.styles import MUTED

SHOWN_CHARACTERS = 16
_BAR_LIMIT = 40
_LABELS = {" ": "space", "\n": "\\n", "\t": "\\t", "\xa0": "nbsp"}

Part = str | tuple[str, str] | Content


@dataclass
class NgramLosses:
    """Validation losses of n-gram models, filled in while they are computed."""

    by_order: dict[int, float] = field(default_factory=dict)
    """Nats per character."""
    status: str = ""
    """What is being computed, or why there are no losses; "" when all are there."""
    is_sample: bool = False
    """Whether they were computed on a part of the text."""


def details(source: str, report: TextReport, losses: NgramLosses, width: int) -> Content:
    """Return the description of a text, for a column of `width` cells."""
    blocks = [
        *_figures(source, report),
        "\n",
        *_losses(losses, len(report.frequencies), width),
        "\n",
        *_characters(report, width),
        "\n",
        ("Beginning\n", "bold $text-primary"),
        escape_controls(report.preview),
    ]
    return Content.assemble(*blocks)


def _figures(source: str, report: TextReport) -> Iterator[Part]:
    yield (f"{escape_controls(report.name)}\n", "bold")
    if source != report.name:
        yield (f"{escape_controls(source)}\n", MUTED)
    size = "" if report.size is None else f" · {format_bytes(report.size)}"
    yield f"{report.characters:,} characters · {report.lines:,} lines · {len(report.frequencies):,} distinct{size}\n"
    if report.is_sample:
        yield ("a sample: only the beginning of this file was read\n", "$text-warning")
    yield f"train {report.train:,} · validation {report.validation:,} (the last {_share(report)})\n"
    yield (f"{report.encoding}\n", MUTED)
    for note in report.notes:
        yield (f"{escape_controls(note)}\n", "$text-warning")


def _share(report: TextReport) -> str:
    return f"{report.validation / max(1, report.characters):.0%}"


def _losses(losses: NgramLosses, alphabet: int, width: int) -> Iterator[Part]:
    yield ("Validation loss of n-gram models", "bold $text-primary")
    yield (", nats per character\n", MUTED)
    guess = math.log(alphabet)
    rows: Mapping[str, float] = {
        "guessing": guess,
        **{f"order {order}": loss for order, loss in losses.by_order.items()},
    }
    for name, loss in rows.items():
        yield f"{name:<9}{loss:6.3f} "
        yield (f"{bar(loss / guess if guess else 0.0, _cells(width - 17), empty=' ').rstrip()}\n", "$primary")
    if losses.is_sample:
        yield (f"a sample: at most {MIN_COUNTED:,} characters counted, {MEASURED:,} predicted\n", "$text-warning")
    if losses.status:
        yield (f"{escape_controls(losses.status)}\n", MUTED)


def _characters(report: TextReport, width: int) -> Iterator[Part]:
    yield ("Most frequent characters\n", "bold $text-primary")
    highest = report.frequencies[0][1]
    for character, count in report.frequencies[:SHOWN_CHARACTERS]:
        yield f"{_label(character)}{count / report.characters:7.2%} "
        yield (f"{bar(count / highest, _cells(width - 17), empty=' ').rstrip()}\n", "$accent")
    rest = len(report.frequencies) - SHOWN_CHARACTERS
    if rest > 0:
        rarest = "".join(character for character, _ in report.frequencies[-min(rest, 20) :])
        yield (f"and {rest:,} more, the rarest: {escape_controls(rarest).strip()}\n", MUTED)


def _label(character: str) -> str:
    """Return a character, or a name for one that cannot be seen, in eight cells or a few more."""
    is_wide = unicodedata.east_asian_width(character) in "WF"
    is_visible = character.isprintable() and not character.isspace() and not unicodedata.combining(character)
    name = character if is_visible else _LABELS.get(character, f"U+{ord(character):04X}")
    return name + " " * (8 - len(name) - is_wide)


def _cells(available: int) -> int:
    return max(1, min(_BAR_LIMIT, available))
