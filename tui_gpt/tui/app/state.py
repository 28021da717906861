"""What the app remembers between two launches, in one small JSON file.

The file is a convenience, never a condition: a missing, damaged or foreign one gives the defaults, field by field, and
a disk that refuses costs the memory and nothing else. It holds names, paths and settings, no prompt and no text.
"""

import dataclasses
import json
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tui_gpt.config import DEFAULT_CORPUS, DEFAULT_PRESET, SampleConfig, checked_setting
from tui_gpt.errors import ConfigError, StorageError
from tui_gpt.storage import paths
from tui_gpt.storage.files import atomic_write, read_json_object

_SIZE_LIMIT = 1 << 20
DEFAULT_THEME = "textual-dark"


@dataclass(kw_only=True)
class AppState:
    """The user's latest choices. Widgets read and assign the fields; the app calls `save`."""

    theme: str = DEFAULT_THEME
    preset: str = DEFAULT_PRESET
    """The preset last trained with."""
    corpus: str = DEFAULT_CORPUS
    """The text last trained on."""
    log_y: bool = False
    """Whether the chart's loss axis is logarithmic."""
    source: str | None = None
    """The model last written with, as `SessionLike.open_model` takes it; None is the newest."""
    sampling: SampleConfig = field(default_factory=SampleConfig)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """What was saved in `path` (default: `paths.state_file()`), as far as it can be understood."""
        record = _read_object(path or paths.state_file())
        state = cls()
        for name, hint in typing.get_type_hints(cls).items():
            if name in record:
                setattr(state, name, _understood(name, record[name], hint, getattr(state, name)))
        return state

    def save(self, path: Path | None = None) -> bool:
        """Replace the file in one step; whether the disk took it."""
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


def _understood(name: str, value: Any, hint: Any, default: Any) -> Any:
    """`value` as a field of type `hint`, or `default` where it is none."""
    try:
        if hint is SampleConfig:
            return SampleConfig.from_dict(value) if isinstance(value, dict) else default
        return checked_setting(name, value, hint)
    except ConfigError:
        return default
