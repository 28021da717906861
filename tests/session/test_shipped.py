"""What comes with the program: a model that answers before anything was trained."""

from tui_gpt.config import SampleConfig
from tui_gpt.session import Session
from tui_gpt.storage.paths import shipped_dir

SIZE_LIMIT = 8 * 10**6
"""Bytes of the whole shipped checkpoint."""


def test_without_any_run_the_shipped_model_writes() -> None:
    model = Session().open_model(None)
    assert model.name == "shipped"
    written = "".join(piece.text for piece in model.stream("ROMEO:", SampleConfig(max_new_tokens=40, seed=1)))
    assert len(written) == 40


def test_the_shipped_model_is_better_than_counting_alone() -> None:
    """The modified Kneser-Ney 7-gram model of the same text stands at 1.5144 nats per character."""
    val_loss = Session().open_model("shipped").val_loss
    assert val_loss is not None
    assert val_loss < 1.5144


def test_the_shipped_model_is_small() -> None:
    files = (shipped_dir() / "pretrained").iterdir()
    assert sum(file.stat().st_size for file in files) <= SIZE_LIMIT
