import itertools
import json
import os
import pickle
import random
import shutil
import threading
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from tests.storage.fuzzing import restate
from tests.storage.helpers import killed_after, killed_at
from tui_gpt.config import RunConfig, resolve
from tui_gpt.errors import CheckpointError, DivergedError, IncompatibleError, StorageError, TuiGptError
from tui_gpt.storage.folders import candidates
from tui_gpt.storage.manifest import MANIFEST_FILE, MODEL_FILE, TRAINING_FILE, CheckpointInfo, newest_complete
from tui_gpt.training.checkpoints.tensors import read_checkpoint, write_checkpoint

CONFIG: RunConfig = resolve("bigram")
TYPES = [torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]


def info(step: int = 1) -> CheckpointInfo:
    tokenizer = {"type": "character", "characters": "abc"}
    return CheckpointInfo(config=CONFIG, tokenizer=tokenizer, vocab_size=3, step=step, max_iters=100)


def weights(step: int = 1) -> dict[str, Tensor]:
    return {"table": torch.full((3, 3), float(step)), "prior.tokens": torch.tensor([0, 1, 2], dtype=torch.uint8)}


def save(target: Path, step: int = 1) -> Path:
    write_checkpoint(target, info(step), weights(step), {"moments": torch.full((3, 3), step / 2)})
    return target


def complaint(folder: Path) -> str:
    with pytest.raises(CheckpointError, match=r"is damaged: .*: take the run's other checkpoint") as caught:
        read_checkpoint(folder, training=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_saved_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = {str(kind): (torch.rand(2, 3) * 100).to(kind) for kind in TYPES}
    saved |= {"scalar": torch.tensor(1.5), "empty": torch.empty(0, 4), "column": torch.rand(4, 4)[:, 1]}
    state = {"generator": torch.Generator().manual_seed(5).get_state(), "big": torch.rand(3, dtype=torch.float64)}
    write_checkpoint(tmp_path / "last", info(), saved, state | {"flag": torch.tensor([True, False])})
    read = read_checkpoint(tmp_path / "last", training=True)
    assert read.info.step == 1
    assert read.info.config == CONFIG
    assert read.weights.keys() == saved.keys()
    for name, tensor in saved.items():
        assert read.weights[name].dtype == tensor.dtype
        assert torch.equal(read.weights[name], tensor)
    assert read.training is not None
    assert torch.equal(read.training["generator"], state["generator"])
    assert torch.equal(read.training["big"], state["big"])


def test_the_library_reads_what_is_written_here(tmp_path: Path) -> None:
    """The file is plain safetensors: other programs can open it."""
    save(tmp_path / "last", 7)
    tensors = safetensors.torch.load_file(tmp_path / "last" / MODEL_FILE)
    assert torch.equal(tensors["table"], weights(7)["table"])
    with safetensors.safe_open(tmp_path / "last" / MODEL_FILE, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_tensors_that_share_memory_are_saved_each(tmp_path: Path) -> None:
    table = torch.rand(3, 3)
    write_checkpoint(tmp_path / "last", info(), {"embedding": table, "head": table, "row": table[1]})
    read = read_checkpoint(tmp_path / "last").weights
    assert torch.equal(read["head"], table)
    assert torch.equal(read["row"], table[1])


def test_training_state_is_read_only_when_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "last")
    assert read_checkpoint(tmp_path / "last").training is None
    assert read_checkpoint(tmp_path / "last", training=True).training is not None
    write_checkpoint(tmp_path / "best", info(), weights())
    assert read_checkpoint(tmp_path / "best", training=True).training is None


def test_large_weights_whose_sum_overflows_are_finite_all_the_same(tmp_path: Path) -> None:
    large = {"large": torch.full((64,), 3e38), "half": torch.full((64,), 6e4, dtype=torch.float16)}
    write_checkpoint(tmp_path / "last", info(), large)
    assert read_checkpoint(tmp_path / "last").weights.keys() == large.keys()


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_infinities_that_cancel_out_are_not_finite(kind: torch.dtype, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="not finite"):
        write_checkpoint(tmp_path / "last", info(), {"table": torch.tensor([[torch.inf, 0.0, -torch.inf]], dtype=kind)})


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    save(tmp_path / "last", 1)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(DivergedError, match="not finite at step 2"):
            write_checkpoint(tmp_path / "last", info(2), {"table": torch.tensor([1.0, bad])})
    assert read_checkpoint(tmp_path / "last").info.step == 1


def test_a_full_disk_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "last", 1)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(StorageError, match="free some space"):
        save(tmp_path / "last", 2)
    assert read_checkpoint(tmp_path / "last").info.step == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_killed_at_any_point_leaves_a_checkpoint_that_reads(tmp_path: Path) -> None:
    """The old one or the new, with its own weights; and the next save tidies up."""
    point = 0
    while True:
        target = save(tmp_path / str(point) / "last", 1)
        if not killed_at(point, lambda target=target: save(target, 2)):  # type: ignore[misc]  # bound at once
            break
        folder = newest_complete(target)
        assert folder is not None
        read = read_checkpoint(folder, training=True)
        assert read.info.step in (1, 2)
        assert read.training is not None
        assert read.weights["table"][0, 0] == read.info.step == 2 * read.training["moments"][0, 0]
        save(target, 3)
        assert read_checkpoint(target).info.step == 3
        assert [path.name for path in target.parent.iterdir()] == ["last"]
        point += 1
    assert point > 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_killed_at_any_moment_leaves_a_checkpoint_that_reads(tmp_path: Path) -> None:
    """Not only at the fault points that the tests know of; each save continues over what the killed one left."""
    target = save(tmp_path / "last", 1)
    steps = itertools.count(2)
    rng = random.Random(1)
    for _ in range(20):
        killed_after(rng.uniform(0.0, 0.05), lambda: save(target, next(steps)))
        folder = newest_complete(target)
        assert folder is not None
        read = read_checkpoint(folder, training=True)
        assert read.weights["table"][0, 0] == read.info.step
    save(target, 99)
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_a_reader_beside_a_writer_always_gets_a_whole_checkpoint(tmp_path: Path) -> None:
    save(tmp_path / "last", 1)
    done = threading.Event()

    def write() -> None:
        for step in range(2, 40):
            save(tmp_path / "last", step)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set():
        folder = newest_complete(tmp_path / "last")
        if folder is not None:
            read = read_checkpoint(folder)
            assert read.weights["table"][0, 0] == read.info.step
            reads += 1
    writer.join()
    assert reads > 0


def test_every_kind_of_damage_is_named(tmp_path: Path) -> None:
    good = save(tmp_path / "good")

    def damaged(name: str, content: bytes) -> str:
        folder = tmp_path / "bad"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(good, folder)
        (folder / name).write_bytes(content)
        return complaint(folder)

    model = (good / MODEL_FILE).read_bytes()
    flipped = model[:-1] + bytes([model[-1] ^ 1])
    assert "model.safetensors is cut short" in damaged(MODEL_FILE, model[:-1])
    assert "more than the" in damaged(MODEL_FILE, model + b"x")
    assert "SHA-256 differs" in damaged(MODEL_FILE, flipped)
    assert "training.safetensors" in damaged(TRAINING_FILE, b"")
    assert "checkpoint.json is cut short or altered" in damaged(MANIFEST_FILE, b'{"format_version": 1')


def test_files_of_two_checkpoints_do_not_mix(tmp_path: Path) -> None:
    save(tmp_path / "a", 1)
    save(tmp_path / "b", 2)
    shutil.copy(tmp_path / "a" / MODEL_FILE, tmp_path / "b" / MODEL_FILE)
    assert "SHA-256 differs" in complaint(tmp_path / "b")


@pytest.mark.parametrize("name", [MODEL_FILE, TRAINING_FILE, MANIFEST_FILE])
def test_links_in_a_checkpoint_are_not_followed(tmp_path: Path, name: str) -> None:
    folder = save(tmp_path / "last")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert "is a link" in complaint(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_a_checkpoint_does_not_hang(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    (folder / MODEL_FILE).unlink()
    os.mkfifo(folder / MODEL_FILE)
    complaint(folder)


def test_a_forged_header_is_refused(tmp_path: Path) -> None:
    """Digests that agree do not make a file sound: sizes, offsets and types are checked by the reader of the format."""
    huge = (1 << 40).to_bytes(8, "little") + b"{}"
    overlapping = b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,99]}}'
    strange = b'{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,0]}}'
    for content in (huge, b"", *(len(text).to_bytes(8, "little") + text for text in (overlapping, strange, b"[]"))):
        folder = save(tmp_path / "last")
        (folder / MODEL_FILE).write_bytes(content)
        restate(folder)
        assert "holds no tensors" in complaint(folder)


def test_weights_of_a_stranger_are_checked(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    safetensors.torch.save_file({"w": torch.tensor([float("nan")])}, folder / MODEL_FILE)
    restate(folder)
    assert "are not finite" in complaint(folder)
    safetensors.torch.save_file({"w": torch.zeros(2, dtype=torch.complex64)}, folder / MODEL_FILE)
    restate(folder)
    assert "unexpected type C64" in complaint(folder)
    safetensors.torch.save_file({"w": torch.zeros(2, dtype=torch.bfloat16)}, folder / MODEL_FILE)
    restate(folder)
    assert "unexpected type BF16" in complaint(folder)


def test_a_model_that_is_only_claimed_is_refused_before_it_is_built(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    record = json.loads((folder / MANIFEST_FILE).read_text())
    record["config"]["model"].update(n_layer=256, n_embd=16_384)
    (folder / MANIFEST_FILE).write_text(json.dumps(record))
    assert "fewer weights than the model it describes" in complaint(folder)


def test_a_tokenizer_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    record = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps({**record, "vocab_size": 4}))
    assert "vocab_size does not fit the tokenizer" in complaint(folder)


def test_a_checkpoint_of_a_newer_program_asks_for_an_upgrade(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    record = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps({**record, "format_version": 99}))
    with pytest.raises(IncompatibleError, match="upgrade"):
        read_checkpoint(folder)


class Canary:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", [MODEL_FILE, TRAINING_FILE, MANIFEST_FILE])
def test_a_malicious_pickle_is_never_run(tmp_path: Path, name: str) -> None:
    """The promise: opening a file from a stranger can at worst fail."""
    canary = tmp_path / "canary"
    folder = save(tmp_path / "last")
    torch.save({"table": Canary(canary)}, folder / name)
    if name != MANIFEST_FILE:
        restate(folder)
    complaint(folder)
    (folder / name).write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(TuiGptError):
        read_checkpoint(folder, training=True)
    assert not canary.exists()


def test_an_unknown_file_beside_the_checkpoint_is_left_alone(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    (folder / "notes.txt").write_text("mine")
    assert read_checkpoint(folder).info.step == 1
    assert (folder / "notes.txt").read_text() == "mine"


def test_candidates_of_a_crash_are_read_under_their_own_names(tmp_path: Path) -> None:
    target = save(tmp_path / "last", 4)
    target.rename(candidates(target)[2])
    found = newest_complete(target)
    assert found is not None
    assert read_checkpoint(found).info.step == 4


def test_a_manifest_states_size_and_digest_of_each_file(tmp_path: Path) -> None:
    folder = save(tmp_path / "last")
    files = json.loads((folder / MANIFEST_FILE).read_text())["files"]
    assert files.keys() == {MODEL_FILE, TRAINING_FILE}
    assert all((folder / name).stat().st_size == record["size"] for name, record in files.items())
