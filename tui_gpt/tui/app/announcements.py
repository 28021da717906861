"""Events that the user must learn of at once, as the chart shows no more than a mark for them."""

from dataclasses import dataclass

from textual.notifications import SeverityLevel

from tui_gpt.events import ChangeRefused, Event, Initialized, ResumeDiffers
from tui_gpt.tui.train.record import initialized_words


@dataclass(frozen=True)
class Announcement:
    """A notification."""

    words: str
    severity: SeverityLevel = "warning"


def announcement(event: Event) -> Announcement | None:
    """Return the notification for an event; None for most of them."""
    match event:
        case ChangeRefused():
            return Announcement(f"{event.setting} is unchanged: {event.reason}")
        case ResumeDiffers():
            return Announcement(
                f"the first loss is {event.loss:.6f}, but was {event.expected_loss:.6f} before the interruption: "
                "this machine or this version computes differently"
            )
        case Initialized():
            return Announcement(initialized_words(event), "information")
        case _:
            return None
