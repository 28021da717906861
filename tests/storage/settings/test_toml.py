"""The template of `config init` and the listing of `config show` are TOML."""

import re
import tomllib

import pytest

from tests.storage.settings.helpers import write_config
from tui_gpt.errors import ConfigError
from tui_gpt.storage import settings


def test_the_template_changes_nothing_until_a_setting_is_uncommented() -> None:
    path = settings.write_template()
    assert settings.load("train") == settings.load("generate") == {}
    text = path.read_text()
    path.write_text(re.sub(r"^#(?=\w)", "", text, flags=re.MULTILINE))
    for section, table in settings.SETTINGS.items():
        assert settings.load(section).keys() == table.keys()


def test_an_existing_file_is_not_overwritten() -> None:
    path = write_config("[train]\nseed = 5\n")
    with pytest.raises(ConfigError, match="exists already"):
        settings.write_template()
    assert settings.load("train") == {"seed": 5}
    settings.write_template(replace=True)
    assert path.read_text() == settings.template()


def test_the_effective_settings_are_toml() -> None:
    shown = "\n".join(settings.as_toml(section, settings.effective(section)) for section in settings.SETTINGS)
    document = tomllib.loads(shown)
    assert document["train"]["preset"] == "quick"
    assert document["generate"]["temperature"] == 0.8
