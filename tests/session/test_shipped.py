"""The model that comes with the program generates before anything has been trained."""

from tui_gpt.config import SampleConfig
from tui_gpt.session import Session
from tui_gpt.storage.paths import shipped_dir

SIZE_LIMIT = 8 * 10**6
"""Size in bytes of the entire shipped checkpoint."""


def test_without_any_run_the_shipped_model_generates() -> None:
    model = Session().open_model(None)
    assert model.name == "shipped"
    written = "".join(piece.text for piece in model.stream("ROMEO:", SampleConfig(max_new_tokens=40, seed=1)))
    assert len(written) == 40


def test_the_shipped_model_is_better_than_n_gram_counts() -> None:
    """A modified Kneser-Ney 7-gram model of the same text reaches 1.5144 nats per character."""
    val_loss = Session().open_model("shipped").val_loss
    assert val_loss is not None
    assert val_loss < 1.5144


def test_the_shipped_model_is_small() -> None:
    files = (shipped_dir() / "pretrained").iterdir()
    assert sum(file.stat().st_size for file in files) <= SIZE_LIMIT
