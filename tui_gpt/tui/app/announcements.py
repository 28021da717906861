"""Events that are shown as a notification, as the chart has no more than a mark for them."""

from dataclasses import dataclass

from textual.notifications import SeverityLevel

from tui_gpt.events import ChangeRefused, Event, Initialized, RequestRefused, ResumeDiffers
from tui_gpt.notices import notice_of

_ANNOUNCED = (ChangeRefused, RequestRefused, ResumeDiffers, Initialized)


@dataclass(frozen=True)
class Announcement:
    """A notification."""

    words: str
    severity: SeverityLevel = "warning"


def announcement(event: Event) -> Announcement | None:
    """Return the notification for an event; None for most of them."""
    notice = notice_of(event) if isinstance(event, _ANNOUNCED) else None
    if notice is None:
        return None
    return Announcement(notice.sentence, "warning" if notice.kind == "warning" else "information")
