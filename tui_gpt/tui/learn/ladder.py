"""The losses that the lesson has reached so far, one below the other."""

from textual.content import Content

from tui_gpt.tui.learn.drawing import Part, bar_of, choices, joined, padded
from tui_gpt.tui.learn.material import Material

_NAMES = {1: "frequencies", 2: "pairs"}
_COUNTS_END = 4
"""The last screen that is about counts."""
_NAME_CELLS, _BAR_CELLS = 22, 18


def ladder(material: Material, screen: int) -> Content:
    """Return a line for each loss that has been computed and that the lesson has reached with a screen, from 1.

    Losses are in nats per character.
    """
    if screen < 2:
        return Content("")
    losses = {"guessing": material.guess_loss}
    for length, loss in sorted(material.known_losses.items()):
        if length < screen or screen >= _COUNTS_END:
            losses[_NAMES.get(length, f"pieces of up to {length}")] = loss
    if material.measured is not None and screen > _COUNTS_END:
        losses["the model, a passage"] = material.measured[0]
    heading: list[Part] = [("The loss so far", "bold"), ("  (nats, and equal choices)", "dim")]
    return joined([heading, *(_line(name, loss, material.guess_loss) for name, loss in losses.items())])


def _line(name: str, loss: float, most: float) -> list[Part]:
    figures = f"{loss:5.2f} {choices(loss):>5} "
    return [padded(name, _NAME_CELLS), (figures, "bold"), (bar_of(loss / most if most else 0, _BAR_CELLS), "$primary")]
