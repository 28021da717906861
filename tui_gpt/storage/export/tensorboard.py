"""A run as an event file of TensorBoard, without TensorFlow: scalars by step, and samples as text.

The numbers of the fields are those of TensorFlow's event.proto, summary.proto and tensor.proto.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tui_gpt.errors import UsageError
from tui_gpt.events import Event, Progress, Sampled
from tui_gpt.storage.export.curves import Curves
from tui_gpt.storage.export.protobuf import blob, double, integer, single
from tui_gpt.storage.export.tfrecord import record
from tui_gpt.storage.files import storage_errors, write_synced
from tui_gpt.storage.folders import make_folder
from tui_gpt.storage.paths import real_path

_VERSION = "brain.Event:2"
_DATA_TYPE_STRING = 7
_SCALARS = {
    "loss/train": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "tokens_per_second": "tokens_per_second",
}
"""The tags of what a progress event reports, and its fields."""


def export_tensorboard(events: Iterable[Event], target: Path, *, ended: float) -> Path:
    """Write the event file of a complete log into a new folder and return its real path.

    `ended` is the time of the last event, in seconds since 1970. Raises UsageError when the folder exists,
    StorageError.
    """
    place = real_path(target)
    curves = Curves.of(events)
    began = ended - curves.seconds_at(max(curves.steps, default=0))
    name = f"events.out.tfevents.{int(began)}.tui-gpt"
    with storage_errors(f"write {target}"):
        if not make_folder(place, {name}, lambda draft: _fill(draft / name, curves, began)):
            raise UsageError(f"{target} exists already: name a new folder")
    return place


def _fill(file: Path, curves: Curves, began: float) -> None:
    write_synced(file, map(record, encoded_events(curves, began)))


def encoded_events(curves: Curves, began: float) -> Iterator[bytes]:
    """Yield the messages of type `Event`, of which the first holds the format's version."""
    yield double(1, began) + blob(3, _VERSION)
    for step, value in _values(curves):
        yield double(1, began + curves.seconds_at(step)) + integer(2, step) + blob(5, blob(1, value))


def _values(curves: Curves) -> Iterator[tuple[int, bytes]]:
    """Yield (step, message of type `Summary.Value`)."""
    for step, progress in curves.progress.items():
        yield from ((step, value) for value in _progress_values(progress))
    for step, evaluation in curves.evaluations.items():
        yield step, _scalar("loss/validation", evaluation.val_loss)
        yield step, _scalar("loss/train_evaluated", evaluation.train_loss)
        yield step, _scalar("bits_per_character/validation", evaluation.bits_per_char)
    for step, sample in curves.samples.items():
        yield step, _text("sample", _as_markdown(sample))


def _progress_values(progress: Progress) -> Iterator[bytes]:
    for tag, name in _SCALARS.items():
        yield _scalar(tag, getattr(progress, name))


def _scalar(tag: str, value: float) -> bytes:
    return blob(1, tag) + single(2, value)


def _text(tag: str, text: str) -> bytes:
    """Return a text, as the plugin `text` expects it: a tensor of one string."""
    plugin = blob(1, "text")
    shape = blob(2, integer(1, 1))
    tensor = integer(1, _DATA_TYPE_STRING) + blob(2, shape) + blob(8, text)
    return blob(1, f"{tag}/text_summary") + blob(8, tensor) + blob(9, blob(1, plugin))


def _as_markdown(sample: Sampled) -> str:
    """Return a sample as a block of code, so that TensorBoard keeps its lines and interprets nothing in it."""
    return "\n".join(f"    {line}" for line in (sample.prompt + sample.text).strip("\n").split("\n"))
