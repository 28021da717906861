from pathlib import Path

from tui_gpt.storage import paths


def write_config(text: str | bytes) -> Path:
    """Write `config.toml` and return its path."""
    path = paths.config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
