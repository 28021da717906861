"""The compiled kernel: built once, whole or not at all, and used where it can be."""

import contextlib
import ctypes
import functools
import math
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.generation.writers import CONFIGS, TEXT, TOKENIZER, V, tiny_model, tiny_prior, tiny_sampler
from tui_gpt.config import ModelConfig, SampleConfig
from tui_gpt.generation.sampling import choose, log_softmax
from tui_gpt.gpt import decoders as decoders_module
from tui_gpt.gpt import kernel as kernel_module
from tui_gpt.gpt import kernel_decode as kernel_decode_module
from tui_gpt.gpt import packing as packing_module
from tui_gpt.gpt.decode import Decoder, ModernDecoder, Reader, plain_decoder
from tui_gpt.gpt.decoders import Decoders
from tui_gpt.gpt.kernel import built, kernel, status
from tui_gpt.gpt.kernel_decode import KernelDecoder, _Team
from tui_gpt.gpt.packing import STRETCH, Numbers, PackedModel, packed_weights
from tui_gpt.gpt.sharing import Pace, SideBySide, Together, Written, thread_counts
from tui_gpt.gpt.streams import PlainStreams, Streams
from tui_gpt.models import linear as linear_module
from tui_gpt.models import modern as modern_module
from tui_gpt.models.build import LanguageModel, build_model, load_weights
from tui_gpt.storage import paths
from tui_gpt.storage.checkpoint import read_checkpoint
from tui_gpt.text.corpora import read_corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.training.checkpoints.prior import split_prior

WARM = SampleConfig(temperature=1.0)
TOKENS = TOKENIZER.encode(TEXT).astype(np.int64)
Compile = Callable[[list[str]], ctypes.CDLL]
FEW = 32
"""As in sweep_bytes.h."""


def compiler(folder: Path, script: str) -> None:
    """A `cc` that does as `script` says."""
    folder.mkdir()
    (folder / "cc").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "cc").chmod(0o755)


def test_its_constants_are_those_of_the_modules_that_feed_it() -> None:
    headers = "".join(path.read_text() for path in (kernel_module._SOURCE, *kernel_module._HEADERS))
    defined = dict(re.findall(r"^#define (\w+) ([-\d.e]+)", headers, re.MULTILINE))
    for module in (packing_module, kernel_decode_module):
        for name in ("PANEL", "STRETCH", "BYTE_MAX", "BYTE_ZERO", "TINY", "MAX_ORDER", "WORTH_SHARING", "MOST_THREADS"):
            assert float(defined[name]) == getattr(module, name, float(defined[name])), name
    assert int(defined["FEW"]) == FEW


def test_it_is_not_built_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch, temporary_home: Path) -> None:
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    assert kernel(wait=True) is None
    assert not temporary_home.exists()
    assert not paths.cache_dir().exists()
    assert status() == (False, "it is off: unset TUI_GPT_NO_KERNEL")


def test_without_a_compiler_there_is_none_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert built(tmp_path / "decode.so") is None


def test_a_compiler_that_fails_is_remembered_for_a_day_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(tmp_path / "bin", f"echo called >> {tmp_path / 'calls'}; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for _ in range(3):
        assert built(tmp_path / "cache" / "decode.so") is None
    assert (tmp_path / "calls").read_text() == "called\n" * 2  # with -march=native and without
    (left,) = (tmp_path / "cache").iterdir()
    assert left.name.endswith(".failed")
    os.utime(left, (1e9, 1e9))
    assert built(tmp_path / "cache" / "decode.so") is None
    assert (tmp_path / "calls").read_text() == "called\n" * 4


def test_a_failure_of_the_compiler_is_told_with_the_way_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUI_GPT_NO_KERNEL")
    monkeypatch.setattr(kernel_module, "_builders", {})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert status() == (False, "there is no C compiler: install one")
    compiler(tmp_path / "bin", "exit 1")
    assert status() == (True, "it will be built when the first text is written")
    assert not paths.cache_dir().exists()
    assert kernel(wait=True) is None
    is_used, reason = status()
    assert not is_used
    assert reason.startswith("the C compiler failed: mend it and remove ")
    assert Path(reason.rpartition(" ")[2]).exists()


def forged(library: Path, folder: Path) -> Path:
    """A library that leaves a mark when it is loaded."""
    source, mark = folder / "forged.c", folder / "code ran"
    source.write_text(
        f'#include <fcntl.h>\n__attribute__((constructor)) void run(void) {{ open("{mark}", O_CREAT, 0600); }}\n'
    )
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    library.chmod(0o700)
    return mark


def owned_by_another(library: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(library, 65_534, 65_534)


def linked(library: Path) -> None:
    library.rename(library.with_suffix(".real"))
    library.symlink_to(library.with_suffix(".real"))


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    "spoil",
    [
        owned_by_another,
        lambda library: owned_by_another(library.parent),
        lambda library: library.chmod(0o720),
        lambda library: library.chmod(0o702),
        lambda library: library.parent.chmod(0o777),
        lambda library: library.with_suffix(".other").hardlink_to(library),
        linked,
    ],
)
def test_a_library_that_others_may_have_written_is_never_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    monkeypatch.delenv("TUI_GPT_NO_KERNEL")
    library = kernel_module._library_path()
    mark = forged(library, tmp_path)
    spoil(library)
    monkeypatch.setenv("PATH", "")
    assert kernel(wait=True) is None
    assert not mark.exists()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_library_of_ones_own_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test before would show nothing."""
    monkeypatch.delenv("TUI_GPT_NO_KERNEL")
    mark = forged(kernel_module._library_path(), tmp_path)
    monkeypatch.setenv("PATH", "")
    assert kernel() is not None
    assert mark.exists()
    assert status() == (True, str(kernel_module._library_path()))


def test_a_cache_of_another_user_is_left_alone_for_a_folder_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.cache_dir().mkdir(parents=True)
    paths.cache_dir().chmod(0o777)
    place = kernel_module._library_path()
    assert place.parent != paths.cache_dir()
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    assert place == kernel_module._library_path()


HANGING = """
import sys
from tui_gpt.gpt import kernel
kernel.PATIENCE_SECONDS = 0.0
kernel.kernel(wait=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler is a shell script")
def test_a_compiler_that_hangs_does_not_outlive_the_program(tmp_path: Path) -> None:
    """It has started another process, as gcc does, and both are gone, with what they left in the cache."""
    os.mkfifo(tmp_path / "alive")
    compiler(tmp_path / "bin", f"exec 3> {tmp_path / 'alive'}; sleep 60 & echo started >&3; wait")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUI_GPT_")}
    environment |= {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2])}
    with (
        subprocess.Popen([sys.executable, "-c", HANGING], env=environment, stdin=subprocess.PIPE) as process,
        (tmp_path / "alive").open() as alive,
    ):
        assert alive.readline() == "started\n"
        process.communicate(b"\n", timeout=50)
        began = time.monotonic()
        assert alive.read() == ""
        assert time.monotonic() - began < 50
    assert process.returncode == 0
    assert list((tmp_path / "cache" / "tui-gpt").iterdir()) == []


def test_without_a_thread_to_build_it_there_is_none_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.delenv("TUI_GPT_NO_KERNEL")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert kernel(wait=True) is None


def test_a_library_that_cannot_be_loaded_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path / "bin", 'while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert built(tmp_path / "decode.so") is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert built(tmp_path / "file" / "decode.so") is None


def test_what_was_built_is_found_again_without_a_compiler(
    library: ctypes.CDLL, kernel_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert kernel() is library
    assert [path.suffix for path in paths.cache_dir().iterdir()] == [".so"]


def test_a_model_without_blocks_is_read_plainly(library: ctypes.CDLL) -> None:
    assert isinstance(Decoders(tiny_model("classic"), None).streams(1), KernelDecoder)
    assert isinstance(Decoders(tiny_model("bigram"), None).streams(1), PlainStreams)


def test_many_texts_are_the_same_on_any_number_of_threads(library: ctypes.CDLL) -> None:
    packed = PackedModel(tiny_model("induction"), tiny_prior("induction"), Numbers.BYTES)
    prompts = np.stack([TOKENS[i : i + 4] for i in range(14)])
    uniforms = np.random.default_rng(1).random((50, 14))

    def written(streams: Streams) -> list[npt.NDArray[Any]]:
        return [streams.start(prompts).copy(), *streams.write(WARM, uniforms[:1]), *streams.write(WARM, uniforms[1:])]

    alone = written(KernelDecoder(library, packed))
    for threads in (1, 2, 3, 7):
        parts = [KernelDecoder(library, packed) for _ in range(7)]
        shared = written(SideBySide(parts, Pace([threads])))
        for one, other in zip(alone, shared, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("count", "cores", "parts"), [(4, 1, 1), (4, 2, 2), (5, 8, 2), (16, 8, 8), (16, 6, 6)])
def test_many_texts_are_shared_out_among_the_cores(
    count: int, cores: int, parts: int, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at least for each."""
    monkeypatch.setattr(decoders_module, "available_cores", lambda: cores)
    streams = Decoders(tiny_model("classic"), None).streams(count)
    assert parts == (len(streams._parts) if isinstance(streams, SideBySide) else 1)


def test_all_cores_are_tried_first_then_powers_of_two() -> None:
    assert [thread_counts(n) for n in (1, 2, 6, 8)] == [[1], [2, 1], [6, 4, 2, 1], [8, 4, 2, 1]]


@pytest.mark.parametrize("count", [1, 3, 4, 17])
def test_texts_are_written_in_half_precision_however_many_they_are(count: int, library: ctypes.CDLL) -> None:
    model, prior = tiny_model("prior"), tiny_prior("prior")
    packed = PackedModel(model, prior, Numbers.HALF)
    chosen, alone = Decoders(model, prior).streams(count), KernelDecoder(library, packed)
    prompts, uniforms = np.tile(TOKENS[:9], (count, 1)), np.random.default_rng(1).random((30, count))
    np.testing.assert_array_equal(chosen.start(prompts), alone.start(prompts))
    for one, other in zip(chosen.write(WARM, uniforms), alone.write(WARM, uniforms), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_seed_writes_the_same_many_texts_with_any_number_of_cores(
    library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for cores in (1, 3):
        monkeypatch.setattr(decoders_module, "available_cores", lambda cores=cores: cores)
        columns = tiny_sampler("induction").stream_many("the ", SampleConfig(max_new_tokens=100, seed=3), 5)
        texts.append([[piece.text for piece in column] for column in columns])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("count", [1, 3])
def test_few_texts_of_a_small_model_are_written_by_one_thread(
    count: int, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its matrices are multiplied before another has heard of them."""
    monkeypatch.setattr(decoders_module, "available_cores", lambda: 4)
    assert isinstance(Decoders(tiny_model("classic"), None).streams(count), KernelDecoder)
    assert isinstance(Decoders(large_model("classic"), None).streams(count), Together)


def large_model(architecture: Literal["classic", "modern"]) -> LanguageModel:
    """Whose steps are worth sharing out, attention over a full window too."""
    config = ModelConfig(architecture=architecture, block_size=200, n_layer=2, n_head=3, n_embd=192)
    model, generator = build_model(config, V, seed=1), torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return model


class Helpers:
    """Makes whoever writes wait until all helpers look for work, however busy the machine is."""

    def __init__(self, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
        self._library = library
        self._there = threading.Semaphore(0)
        gathered, help_out = _Team.gathered, _Team._help

        def come(team: _Team, begun: int, number: int) -> None:
            self._there.release()
            help_out(team, begun, number)

        @contextlib.contextmanager
        def all_gathered(team: _Team, threads: int) -> Iterator[None]:
            with gathered(team, threads):
                for _ in range(1, threads):
                    assert self._there.acquire(timeout=60)
                yield

        monkeypatch.setattr(_Team, "_help", come)
        monkeypatch.setattr(_Team, "gathered", all_gathered)

    def parts_done_for(self, decoder: KernelDecoder) -> int:
        """How many parts of its jobs others have done."""
        self._library.team_helped.restype = ctypes.c_int64
        return int(self._library.team_helped(ctypes.c_void_p(decoder._team.address)))


@pytest.fixture
def helpers(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Helpers:
    return Helpers(library, monkeypatch)


@pytest.mark.parametrize("architecture", ["classic", "modern"])
@pytest.mark.parametrize(("count", "numbers"), [(1, Numbers.HALF), (3, Numbers.HALF), (3, Numbers.BYTES)])
def test_texts_are_the_same_by_any_number_of_threads(
    architecture: Literal["classic", "modern"], count: int, numbers: Numbers, library: ctypes.CDLL, helpers: Helpers
) -> None:
    """A classic model's window is read anew meanwhile."""
    packed = PackedModel(large_model(architecture), None, numbers)
    prompts = np.stack([TOKENS[i : i + 180] for i in range(count)])
    uniforms = np.random.default_rng(1).random((60, count))
    alone, together = KernelDecoder(library, packed), KernelDecoder(library, packed)
    expected = [alone.start(prompts).copy(), *alone.write(WARM, uniforms)]
    for threads in (8, 2, 3):
        together.threads = threads
        written = [together.start(prompts).copy()]
        bursts = [together.write(WARM, uniforms[:1]), together.write(WARM, uniforms[1:])]
        written += [np.concatenate(parts) for parts in zip(*bursts, strict=True)]
        for one, other in zip(expected, written, strict=True):
            np.testing.assert_array_equal(one, other)
    assert helpers.parts_done_for(together) > 0


def test_helpers_go_when_whoever_writes_fails(library: ctypes.CDLL, helpers: Helpers) -> None:
    team = _Team(library)
    with pytest.raises(ZeroDivisionError), team.gathered(3):
        raise ZeroDivisionError
    for helper in team._helpers:
        helper.shutdown()


def test_helpers_go_when_there_is_nothing_to_do_for_long(library: ctypes.CDLL) -> None:
    """So a round that nobody ends cannot keep the program from ending."""
    team = _Team(library)
    with team.gathered(2):
        team._helpers[0].shutdown()


def test_where_no_thread_can_be_had_a_text_is_written_all_the_same(
    library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    assert_helpers_are_not_needed(library)


def test_nobody_waits_for_a_helper_that_does_not_come(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Team, "_help", lambda *_: None)
    assert_helpers_are_not_needed(library)


def assert_helpers_are_not_needed(library: ctypes.CDLL) -> None:
    """Who is to write with four threads, and gets none, writes what one does."""
    packed, uniforms = PackedModel(large_model("classic"), None), np.random.default_rng(1).random((9, 1))
    alone, left_alone = KernelDecoder(library, packed), KernelDecoder(library, packed)
    left_alone.threads = 4
    for decoder in (alone, left_alone):
        decoder.start(TOKENS[None, :9])
    for one, other in zip(alone.write(WARM, uniforms), left_alone.write(WARM, uniforms), strict=True):
        np.testing.assert_array_equal(one, other)


class Clock:
    """Time that passes as it is written."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr("tui_gpt.gpt.sharing.time", SimpleNamespace(monotonic=self.read, perf_counter=self.read))

    def read(self) -> float:
        return self.now

    def write(self, pace: Pace, seconds: dict[int, float], bursts: int = 1, size: int = 20) -> dict[int, int]:
        """Bursts of characters that take so long each on so many threads; how many were written by how many."""
        written = dict.fromkeys(seconds, 0)

        def write(threads: int, uniforms: npt.NDArray[np.float64]) -> Written:
            self.now += len(uniforms) * seconds[threads]
            written[threads] += len(uniforms)
            return np.zeros(uniforms.shape, np.int64), np.zeros((*uniforms.shape, V), np.float32)

        for _ in range(bursts):
            tokens, logits = pace.write(np.zeros((size, 1)), write)
            assert (len(tokens), len(logits)) == (size, size)
        return written


def test_a_text_is_written_by_as_many_threads_as_were_the_fastest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace([4, 2, 1])
    assert pace.fastest() == 4
    clock.write(pace, {1: 3e-4, 2: 2e-4, 4: 5e-4}, 15)
    assert pace.fastest() == 2
    assert clock.write(pace, {1: 3e-4, 2: 2e-4, 4: 5e-4}) == {1: 0, 2: 20, 4: 0}


def test_other_numbers_of_threads_are_tried_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few characters of a burst, so that a training that begins or ends beside it is noticed."""
    clock, pace = Clock(monkeypatch), Pace([2, 1])
    clock.write(pace, {1: 3e-4, 2: 2e-4}, 20)
    assert 0 < clock.write(pace, {1: 3e-4, 2: 2e-4}, 1_000)[1] < 0.01 * 20_000
    assert clock.write(pace, {1: 3e-4, 2: 9e-4}, 10)[2] < 100
    clock.write(pace, {1: 3e-4, 2: 2e-4}, 1_000)
    assert pace.fastest() == 2


def test_many_threads_that_hold_each_other_up_are_tried_with_few_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """On cores that are busy they may be many times slower, and keys wait for a burst's end."""
    clock, pace = Clock(monkeypatch), Pace([8, 1])
    clock.write(pace, {1: 3e-4, 8: 1e-4}, 20)
    clock.write(pace, {1: 3e-4, 8: 1e-2}, 20)
    began = clock.now
    written = clock.write(pace, {1: 3e-4, 8: 1e-2}, 1_000)
    assert written[8] * 1e-2 < 0.2 * (clock.now - began)
    assert written[8] <= 10 * (clock.now - began) / 0.5


def test_a_window_read_anew_says_nothing_of_how_fast_threads_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace([2, 1])
    clock.write(pace, {1: 3e-4, 2: 2e-4}, 20)
    clock.write(pace, {1: 3e-4, 2: 9e-4})
    assert pace.fastest() == 2


def test_a_short_burst_says_nothing_of_how_fast_threads_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, pace = Clock(monkeypatch), Pace([2, 1])
    assert clock.write(pace, {1: 1e-4, 2: 1e-4}, 20, size=5) == {1: 0, 2: 100}
    clock.write(pace, {1: 3e-4, 2: 2e-4}, 20)
    assert clock.write(pace, {1: 1e-4, 2: 9e-4}, 20, size=5) == {1: 0, 2: 100}


def plain_streams(name: str) -> PlainStreams:
    """The reference, for a tiny model."""
    model = tiny_model(name)
    return PlainStreams(plain_decoder(model, tiny_prior(name)), model.config.block_size)


def assert_written_alike(fast: Streams, plain: Streams, config: SampleConfig, size: int, count: int) -> None:
    """Both draw the same characters from the same logits."""
    uniforms = np.random.default_rng(size).random((size, count))
    tokens, logits = fast.write(config, uniforms)
    expected_tokens, expected_logits = plain.write(config, uniforms)
    np.testing.assert_array_equal(tokens, expected_tokens)
    np.testing.assert_allclose(logits, expected_logits, atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.0},
        {"temperature": 0.7},
        {"top_k": 3},
        {"top_k": 1_000},
        {"top_p": 0.8},
        {"top_p": 1e-6},
        {"min_p": 0.1},
        {"temperature": 1.5, "top_k": 9, "top_p": 0.7, "min_p": 0.05},
    ],
)
def test_it_draws_as_the_reference_does(library: ctypes.CDLL, settings: dict[str, float]) -> None:
    """With each setting, and with settings that change between two bursts."""
    fast, plain = Decoders(tiny_model("classic"), None).streams(3), plain_streams("classic")
    prompts = np.stack([TOKENS[i : i + 9] for i in range(3)])
    for streams in (fast, plain):
        streams.start(prompts)
    config = SampleConfig(**{"temperature": 1.0, **settings})  # type: ignore[arg-type]
    for size, one in ((40, config), (5, WARM), (40, config)):
        assert_written_alike(fast, plain, one, size, 3)


NEEDED = {"-march=x86-64-v4": "avx512bw", "-mavxvnni": "avx_vnni"}
"""What not every processor has that the tests run on."""
FLAGS = [
    ["-march=x86-64-v4"],
    ["-march=x86-64-v3", "-mavxvnni"],
    ["-march=x86-64-v3"],
    ["-march=sandybridge"],
    ["-march=x86-64"],
    ["-march=x86-64", "-U__SSE2__"],
    [],
]
"""The last but one takes the way of a processor of which nothing is known; the last is for others than x86-64."""


@pytest.mark.parametrize("flags", FLAGS)
def test_every_way_to_compile_it_reads_the_same(flags: list[str], compiled_with: Compile) -> None:
    """Processors differ in the width of their registers, and some cannot convert half precision."""
    other = compiled_with(flags)
    for name in ("classic", "modern", "prior"):
        fast, plain = KernelDecoder(other, PackedModel(tiny_model(name), tiny_prior(name))), plain_streams(name)
        prompts = np.stack([TOKENS[i : i + 9] for i in range(13)])
        np.testing.assert_allclose(fast.start(prompts), plain.start(prompts), atol=1e-4)
        assert_written_alike(fast, plain, WARM, 30, 13)


@pytest.fixture(scope="module")
def compiled_with(kernel_home: Path) -> Compile:
    """Compiles the kernel for another processor, once for all tests."""

    @functools.cache
    def compiled(*flags: str) -> ctypes.CDLL:
        if flags and platform.machine() != "x86_64":
            pytest.skip("these flags are for another processor")
        has = kernel_module._processor().decode().split()
        if any(NEEDED[flag] not in has for flag in flags if flag in NEEDED):
            pytest.skip("this processor cannot run it")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel_module, "_NATIVE", flags)
            other = built(kernel_home / f"decode{''.join(flags)}.so")
        assert other is not None
        return other

    return lambda flags: compiled(*flags)


def rounded(x: Tensor, stretch: int | None = None) -> Tensor:
    """Rows as the bytes that the kernel makes of them for many texts, each stretch with its own scale."""
    stretches = torch.split(x, stretch or x.shape[-1], dim=-1)
    steps = [part.abs().amax(-1, keepdim=True) / 127 for part in stretches]
    whole = [(part / step.clamp(min=1e-30)).round() * step for part, step in zip(stretches, steps, strict=True)]
    return torch.cat(whole, dim=-1)


def in_bytes(model: LanguageModel) -> LanguageModel:
    """The same model, its matrices rounded."""
    for part, parameter in model.named_parameters():
        if parameter.ndim >= 2 and "embedding.weight" not in part and "induction." not in part:
            parameter.data = rounded(parameter.data)
    return model


@pytest.fixture
def bytes_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference rounds what is multiplied with matrices, queries, keys, values and weights of attention as the
    kernel does for many texts."""
    for module in (modern_module, linear_module):
        monkeypatch.setattr(module, "linear", rounding(module.linear))
    attention = RoundedAttention()
    monkeypatch.setattr(F, "scaled_dot_product_attention", attention)
    monkeypatch.setattr(ModernDecoder, "_attended", attention.by_place(ModernDecoder._attended))


def rounding(linear: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`linear`, of inputs in bytes."""
    return lambda x, *others: linear(rounded(x, STRETCH), *others)


class RoundedAttention:
    """Scaled dot-product attention in bytes."""

    turn = 0
    """At which place of the kernel's ring the oldest of all keys is."""

    def by_place(self, attended: Callable[..., Tensor]) -> Callable[..., Tensor]:
        """`attended` of a decoder whose keys come one by one, the oldest first."""

        def attended_by_place(decoder: ModernDecoder, *others: Any) -> Tensor:
            self.turn = max(0, decoder._length + 1 - decoder._config.block_size)
            return attended(decoder, *others)

        return attended_by_place

    def __call__(
        self, q: Tensor, k: Tensor, v: Tensor, *, attn_mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        """(B, H, T, D); causal for `is_causal` too, which a single query does not set."""
        k, v = k.roll(self.turn, dims=2), v.roll(self.turn, dims=2)
        scores = rounded(q) @ rounded(k).mT / math.sqrt(q.shape[-1])
        seen = torch.ones_like(scores[0, 0], dtype=torch.bool).tril(scores.shape[-1] - scores.shape[-2])
        weights = scores.masked_fill(~(seen if attn_mask is None else attn_mask), -math.inf)
        weights = (weights - weights.amax(-1, keepdim=True)).exp()
        steps = v.abs().amax(-1, keepdim=True) / 127
        whole = rounded(v) / steps.clamp(min=1e-30)
        return rounded(weights * steps.mT, FEW) @ whole / weights.sum(-1, keepdim=True)


def assert_near(fast: npt.NDArray[Any], plain: npt.NDArray[Any]) -> None:
    """Rows of logits (n, V) are the reference's but where a number between two bytes was rounded to the other."""
    differences = abs(fast - plain).max(-1)
    assert np.median(differences) < 1e-4
    assert differences.max() < 0.1 * plain.std()


BLOCKS = [name for name, config in CONFIGS.items() if config.n_layer]


@pytest.mark.parametrize("name", BLOCKS)
def test_in_bytes_it_reads_what_the_reference_reads_of_the_same_bytes(
    name: str, library: ctypes.CDLL, bytes_in_between: None
) -> None:
    model, prior = tiny_model(name), tiny_prior(name)
    fast = logits_along(KernelDecoder(library, PackedModel(model, prior, Numbers.BYTES)), model.config.block_size)
    assert_near(fast, logits_along(plain_decoder(in_bytes(tiny_model(name)), prior), model.config.block_size))


@pytest.mark.parametrize("flags", FLAGS)
def test_every_way_to_compile_it_reads_the_same_bytes(
    flags: list[str], compiled_with: Compile, bytes_in_between: None
) -> None:
    other = compiled_with(flags)
    for name in ("classic", "wide", "induction"):
        model, prior = tiny_model(name), tiny_prior(name)
        fast = logits_along(KernelDecoder(other, PackedModel(model, prior, Numbers.BYTES)), model.config.block_size)
        assert_near(fast, logits_along(plain_decoder(in_bytes(tiny_model(name)), prior), model.config.block_size))


@pytest.mark.parametrize("count", [1, 4, 7, 13, 21])
def test_many_streams_in_bytes_read_what_each_would_alone(count: int, library: ctypes.CDLL) -> None:
    """However many share a sweep, a window or the copy of a common beginning; and what they draw is of their logits."""
    for name in ("classic", "induction"):
        model, prior = tiny_model(name), tiny_prior(name)
        packed = PackedModel(model, prior, Numbers.BYTES)
        many, uniforms = KernelDecoder(library, packed), np.random.default_rng(count).random((40, count))
        many.start(np.tile(TOKENS[:9], (count, 1)))
        tokens, logits = many.write(WARM, uniforms)
        np.testing.assert_array_equal(tokens, choose(logits, WARM, uniforms))
        for b in range(0, count, 3):
            alone = KernelDecoder(library, packed)
            rows = [alone.start(TOKENS[None, :9])[0].copy()]
            rows += [alone.advance(tokens[t, b : b + 1])[0].copy() for t in range(39)]
            np.testing.assert_allclose(logits[:, b], np.stack(rows), atol=1e-4)


@pytest.mark.parametrize("width", [520, 600])
@pytest.mark.parametrize("flags", [["-march=native"], *FLAGS])
def test_no_sum_of_whole_numbers_is_too_large(
    flags: list[str], width: int, compiled_with: Compile, bytes_in_between: None
) -> None:
    """Every byte is the largest there is, in products of four times the width and in one wide head."""
    model = build_model(ModelConfig(block_size=8, n_layer=1, n_head=1, n_embd=width), V, seed=1)
    generator = torch.Generator().manual_seed(2)
    half = torch.cat([torch.ones(width // 2), torch.zeros(width // 2)])
    for name, parameter in model.named_parameters():
        if "embedding" in name or "head" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * (0.1 if "head" in name else 1)
        elif "attention_norm" in name:
            parameter.data = half.clone() if "weight" in name else torch.full((width,), 0.02)
        elif "feed_forward_norm" in name:
            parameter.data = torch.full((width,), 1e-3 * ("bias" in name))
        elif parameter.ndim == 2:
            parameter.data = torch.full(parameter.shape, 0.05)
        else:
            parameter.data = torch.full(parameter.shape, float(name == "norm.weight"))
    for part in ("attention.projection", "feed_forward.contract"):
        model.state_dict()[f"blocks.0.{part}.weight"].mul_((1 - 2 * half)[:, None])
    fast = KernelDecoder(compiled_with(flags), PackedModel(model, None, Numbers.BYTES))
    assert_near(logits_along(fast, 8), logits_along(plain_decoder(in_bytes(model), None), 8))


def test_the_shipped_model_loses_nothing_in_bytes(library: ctypes.CDLL) -> None:
    """Less than a ten-thousandth of a nat, on a text that it never saw."""
    checkpoint = read_checkpoint(paths.shipped_dir() / "pretrained")
    weights, prior = split_prior(checkpoint.weights)
    model = build_model(checkpoint.info.config.model, checkpoint.info.vocab_size, seed=0)
    load_weights(model, weights)
    text = CharTokenizer.from_dict(checkpoint.info.tokenizer).encode(read_corpus("tinyshakespeare").text[-1_500:])
    losses = []
    for numbers in (Numbers.SINGLE, Numbers.BYTES):
        decoder = KernelDecoder(library, PackedModel(model, prior, numbers))
        rows = logits_along(decoder, model.config.block_size, text.astype(np.int64))
        losses.append(-log_softmax(rows)[np.arange(len(rows)), text[1:]].mean())
    assert losses[0] != losses[1]
    assert abs(losses[0] - losses[1]) < 1e-4


@pytest.mark.parametrize("name", ["classic", "modern", "prior"])
def test_the_same_seed_writes_the_same_text_with_and_without_it(
    name: str, library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights of these models lose nothing in half precision; texts of others may part after a while."""
    config = SampleConfig(max_new_tokens=100, temperature=1.0, seed=3)

    def written() -> list[list[str]]:
        sampler = tiny_sampler(name)
        columns = [*sampler.stream_many("the ", config, 3), *((piece,) for piece in sampler.stream("the ", config))]
        return [[piece.text for piece in column] for column in columns]

    compiled = written()
    monkeypatch.setenv("TUI_GPT_NO_KERNEL", "1")
    assert written() == compiled


def trained_like() -> LanguageModel:
    """A model of which half precision cannot hold the weights, which lie within many orders of magnitude."""
    model = tiny_model("classic")
    for parameter in model.parameters():
        parameter.data += 1e-4
    model.state_dict()["head.weight"][3] = 1e-7
    return model


def logits_along(decoder: Decoder, block_size: int, tokens: npt.NDArray[np.int64] = TOKENS) -> npt.NDArray[np.float64]:
    """(n, V): after each character of the text, the window sliding."""
    reader = Reader(decoder, block_size)
    rows = [reader.start(tokens[None, :1])[0].copy()]
    rows += [reader.advance(tokens[t : t + 1])[0].copy() for t in range(1, len(tokens) - 1)]
    return np.stack(rows).astype(np.float64)


def test_half_precision_costs_less_than_a_thousandth_of_a_nat(library: ctypes.CDLL) -> None:
    model = trained_like()
    size = model.config.block_size
    fast = logits_along(KernelDecoder(library, PackedModel(model, None)), size)
    plain = logits_along(plain_decoder(model, None), size)
    losses = [-log_softmax(rows)[np.arange(len(rows)), TOKENS[1:]].mean() for rows in (fast, plain)]
    assert abs(losses[0] - losses[1]) < 1e-3
    assert losses[0] != losses[1]


def test_on_the_weights_that_are_stored_its_logits_are_the_references(library: ctypes.CDLL) -> None:
    """So half precision is all that parts them."""
    model = trained_like()
    size = model.config.block_size
    fast = logits_along(KernelDecoder(library, PackedModel(model, None)), size)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and "embedding" not in name:
            stored, factors = packed_weights(parameter, Numbers.HALF)
            assert stored.dtype == torch.half
            parameter.data = stored.float() * factors[:, None]
    np.testing.assert_allclose(fast, logits_along(plain_decoder(model, None), size), atol=1e-4)


@pytest.mark.parametrize("name", ["classic", "modern", "prior"])
def test_in_single_precision_its_logits_are_the_references(name: str, library: ctypes.CDLL) -> None:
    model, prior = tiny_model(name), tiny_prior(name)
    for parameter in model.parameters():
        parameter.data += 1e-4
    single = PackedModel(model, prior, Numbers.SINGLE)
    fast = logits_along(KernelDecoder(library, single), model.config.block_size)
    np.testing.assert_allclose(fast, logits_along(plain_decoder(model, prior), model.config.block_size), atol=1e-4)
    assert single.matrix_bytes == 2 * PackedModel(model, prior).matrix_bytes


def test_a_matrix_that_half_precision_would_spoil_stays_in_single(library: ctypes.CDLL) -> None:
    """An output whose weights are a billionth of another's would lose its digits; a millionth does no harm."""
    model = tiny_model("classic")
    weights = model.state_dict()["head.weight"]
    bytes_before = PackedModel(model, None).matrix_bytes
    weights[3] *= 1e-6
    assert PackedModel(model, None).matrix_bytes == bytes_before
    weights[3] *= 1e-5
    assert PackedModel(model, None).matrix_bytes > bytes_before
    fast = logits_along(KernelDecoder(library, PackedModel(model, None)), model.config.block_size)
    np.testing.assert_allclose(fast, logits_along(plain_decoder(model, None), model.config.block_size), atol=1e-4)
