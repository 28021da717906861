"""The losses that the lesson has reached so far, one below the other."""

from textual.content import Content

from tui_gpt.tui.learn.drawing import Part, bar_of, choices, joined, padded
from tui_gpt.tui.learn.material import Material

_NAMES = {1: "frequencies", 2: "pairs"}
_NAME_CELLS, _BAR_CELLS = 22, 18


def ladder(material: Material) -> Content:
    """Return a line for each loss that has been computed, in nats per character."""
    losses = {"guessing": material.guess_loss}
    for length, loss in sorted(material.known_losses.items()):
        losses[_NAMES.get(length, f"pieces of up to {length}")] = loss
    if material.measured is not None:
        losses["the model, a passage"] = material.measured[0]
    heading: list[Part] = [("The loss so far", "bold"), ("  (nats, and equal choices)", "dim")]
    return joined([heading, *(_line(name, loss, material.guess_loss) for name, loss in losses.items())])


def _line(name: str, loss: float, most: float) -> list[Part]:
    figures = f"{loss:5.2f} {choices(loss):>5} "
    return [padded(name, _NAME_CELLS), (figures, "bold"), (bar_of(loss / most if most else 0, _BAR_CELLS), "$primary")]
