"""Every preset fits into memory, or is refused with settings that do."""

import pytest

from tui_gpt.config import resolve
from tui_gpt.errors import ConfigError
from tui_gpt.training.budget.memory import (
    LIMIT_BYTES,
    members_that_fit,
    require_memory,
    training_bytes,
    windows_per_pass,
)


@pytest.mark.parametrize("preset", ["quick", "best", "classic", "nano"])
def test_every_preset_fits_into_memory_with_a_vocabulary_of_200(preset: str) -> None:
    require_memory(resolve(preset), 200, replicas=2)


@pytest.mark.parametrize("vocab_size", [8_000, 60_000])
@pytest.mark.parametrize("preset", ["quick", "best", "classic", "nano"])
def test_a_large_vocabulary_fits_or_is_refused_with_settings_that_do(preset: str, vocab_size: int) -> None:
    config = resolve(preset)
    try:
        require_memory(config, vocab_size, replicas=2)
    except ConfigError as error:
        words = str(error).split("choose ")[1].split()
        if words[0] == "a":
            return
        names = [word.removeprefix("--").replace("-", "_") for word in words if word.startswith("--")]
        chosen: dict[str, object] = {}
        for name in names:
            after = words[words.index("--" + name.replace("_", "-")) + 1 :]
            chosen[name] = False if name == "no_induction" else after[0] if name == "preset" else int(after[0])
        if "no_induction" in chosen:
            chosen["induction"] = chosen.pop("no_induction")
        require_memory(resolve(**{"preset": preset, **chosen}), vocab_size, replicas=2)  # type: ignore[arg-type]
    else:
        assert training_bytes(config, vocab_size, 2) <= LIMIT_BYTES


def test_an_open_number_of_networks_becomes_one_that_fits() -> None:
    quick = resolve("quick")
    assert members_that_fit(quick, 65, 2, most=8) > members_that_fit(quick, 4_000, 2, most=8) >= 1
    assert windows_per_pass(quick.model, 65, 2) > windows_per_pass(quick.model, 8_000, 2) >= 1
