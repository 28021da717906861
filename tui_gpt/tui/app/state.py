"""The app's state between launches, in one small JSON file.

The file is a convenience: a missing, damaged or foreign one gives the defaults, field by field, and when it cannot be
written only the state is lost. It holds names, paths and settings, no prompt and no text.
"""

import dataclasses
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tui_gpt.config import DEFAULT_CORPUS, DEFAULT_PRESET, SampleConfig
from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.records import check_value, field_types
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write
from tui_gpt.storage.plain_files import read_json_object

_SIZE_LIMIT = 1 << 20
_RECENT_LIMIT = 20
DEFAULT_THEME = "textual-dark"


@dataclass(kw_only=True)
class AppState:
    """The user's latest choices. Widgets read and assign the fields; the app calls `save`."""

    theme: str = DEFAULT_THEME
    preset: str = DEFAULT_PRESET
    """The preset of the latest training."""
    corpus: str = DEFAULT_CORPUS
    """The text of the latest training."""
    recent: tuple[str, ...] = ()
    """The texts of the latest trainings, the newest first."""
    log_y: bool = False
    """Whether the chart's loss axis is logarithmic."""
    source: str | None = None
    """The model of the latest generation, as `SessionLike.open_model` takes it; None is the newest."""
    sampling: SampleConfig = field(default_factory=SampleConfig)
    lesson_screen: int = 1
    """The screen of the lesson on which the reader stopped."""
    preview: bool = True
    """Whether the prompt shows a preview of its continuation."""

    def remember_text(self, source: str) -> None:
        """Put a text at the beginning of `recent`."""
        self.recent = (source, *(other for other in self.recent if other != source))[:_RECENT_LIMIT]

    def forget_text(self, source: str) -> None:
        """Remove a text from `recent`."""
        self.recent = tuple(other for other in self.recent if other != source)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the state saved in `path` (default: `paths.state_file()`); invalid fields have their defaults."""
        record = _read_object(path or paths.state_file())
        state = cls()
        for name, hint in field_types(cls).items():
            if name in record:
                with suppress(ConfigError):
                    setattr(state, name, check_value(name, record[name], hint))
        return state

    def save(self, path: Path | None = None) -> bool:
        """Write the state to `path` (default: `paths.state_file()`); return whether that succeeded."""
        try:
            atomic_write(path or paths.state_file(), json.dumps(dataclasses.asdict(self), indent=1).encode("ascii"))
        except StorageError:
            return False
        return True


def _read_object(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path, _SIZE_LIMIT)
    except (OSError, ValueError):
        return {}
