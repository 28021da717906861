"""Starting a new run from another model's weights: what is copied, what may change, what is refused."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tui_gpt.config import ModelConfig, RunConfig, resolve
from tui_gpt.control import Control
from tui_gpt.errors import ConfigError
from tui_gpt.events import Evaluated, Initialized, Started
from tui_gpt.requests import TrainRequest
from tui_gpt.session import Session
from tui_gpt.training.setup.initialize import Start

OLD, NEW = "    ab cd. dc ba. abcd" * 30, "ab éd. dé ba. xybéd" * 30
SHAPE = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "threads": 1, "device": "cpu"}


def start_with(**model: Any) -> Start:
    """Return a start whose checkpoint has only a configuration."""
    config = ModelConfig(architecture="modern", n_layer=2, n_head=2, n_embd=16, block_size=32, **model)
    info = type("Info", (), {"config": RunConfig(model=config)})()
    return Start("other", type("Checkpoint", (), {"info": info, "weights": {}})())


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"n_layer": 3}, "n_layer is 2 in other and cannot become 3: leave it out"),
        ({"n_embd": 32}, "n_embd is 16 in other and cannot become 32"),
        ({"ngram_order": 0}, "ngram_order is 5 in other and cannot become 0: choose 1 or more"),
        ({"members": 4}, "members is 3 in other and cannot become 4: choose at most 3"),
    ],
)
def test_what_the_weights_fix_is_refused(chosen: dict[str, Any], words: str) -> None:
    start = start_with(ngram_order=5, members=3)
    with pytest.raises(ConfigError, match=words):
        start.configured(resolve("quick"), chosen, preset_chosen=False)


def test_what_the_weights_do_not_fix_may_be_chosen() -> None:
    start = start_with(ngram_order=5, members=3)
    chosen = {"n_layer": 2, "members": 2, "ngram_order": 3, "block_size": 64, "dropout": 0.1}
    model = start.configured(resolve("quick"), chosen, preset_chosen=True).model
    assert (model.members, model.ngram_order, model.block_size, model.dropout) == (2, 3, 64, 0.1)
    assert start.configured(resolve("quick"), {}, preset_chosen=False).model.members == 0


def test_a_preset_for_another_kind_of_model_is_refused_only_where_it_was_named() -> None:
    start = start_with(ngram_order=5)
    with pytest.raises(ConfigError, match="other is a modern model, and the preset classic is for another kind"):
        start.configured(resolve("classic"), {}, preset_chosen=True)


def config_for(path: Path, **settings: Any) -> RunConfig:
    return resolve("quick", str(path), **{**SHAPE, "max_iters": 3, "members": 1, "ngram_order": 3, **settings})


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text(OLD, encoding="utf-8")
    new.write_text(NEW, encoding="utf-8")
    return old, new


def test_the_log_says_which_characters_are_new_and_the_run_resumes_from_the_first_step(
    texts: tuple[Path, Path],
) -> None:
    old, new = texts
    list(Session().train(TrainRequest(config=config_for(old), name="old"), Control()))
    session, control = Session(), Control()
    request = TrainRequest(config=config_for(new, max_iters=4), name="new", init_from="old")
    events = []
    for event in session.train(request, control):
        events.append(event)
        if isinstance(event, Initialized):
            control.stop()
    assert Initialized(step=0, source="old", new_characters="xyé") in events
    resumed = list(Session().train(TrainRequest(config=request.config, resume="new"), Control()))
    straight = list(Session().train(dataclasses.replace(request, name="straight"), Control()))
    assert isinstance(resumed[0], Started)
    assert [event for event in resumed if isinstance(event, Evaluated)] == [
        event for event in straight if isinstance(event, Evaluated)
    ]


def test_the_shipped_model_can_be_trained_further_on_another_alphabet(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text("Größe, Maß und süße Öle → ein Satz für jede Zeile.\n" * 40, encoding="utf-8")
    config = resolve("quick", str(path), max_iters=1, batch_size=1, block_size=32, threads=1, device="cpu")
    request = TrainRequest(config=config, init_from="shipped", chosen={"block_size": 32, "members": 1}, name="mine")
    events = list(Session().train(request, Control()))
    source = next(event for event in events if isinstance(event, Initialized))
    assert set("ößÖ→") <= set(source.new_characters)
    assert not set("abc,.") & set(source.new_characters)
    model = Session().open_model("mine@last")
    assert model.alphabet >= set("Größe→") if hasattr(model, "alphabet") else model.step == 1
