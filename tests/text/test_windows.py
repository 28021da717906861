import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_gpt.errors import CorpusError
from tui_gpt.text.corpora import CorpusText, read_corpus
from tui_gpt.text.tokenizer import CharTokenizer
from tui_gpt.text.windows import Corpus, WindowOrder, gather, validation_windows


def text_of(content: str) -> CorpusText:
    return CorpusText("fake", content, "0" * 64, "fake.txt")


def test_tinyshakespeare_is_split_as_everybody_splits_it() -> None:
    corpus = Corpus.build(read_corpus("tinyshakespeare"), 256)
    assert (len(corpus.train), len(corpus.val)) == (1_003_854, 111_540)
    assert corpus.tokenizer.vocab_size == 65
    assert corpus.train.dtype == np.uint8
    assert corpus.tokenizer.decode(corpus.train[:14]) == "First Citizen:"


def test_a_given_tokenizer_leaves_out_what_it_does_not_know() -> None:
    corpus = Corpus.build(text_of("abcX" * 20), 4, CharTokenizer("abc"))
    assert corpus.tokenizer.decode(corpus.train) + corpus.tokenizer.decode(corpus.val) == "abc" * 20


@given(length=st.integers(1, 400), block_size=st.integers(1, 300))
def test_a_short_text_says_what_would_do(length: int, block_size: int) -> None:
    """The named length suffices and no shorter one does; the named block_size fits."""
    try:
        corpus = Corpus.build(text_of("ab" * (length // 2) + "a" * (length % 2)), block_size)
    except CorpusError as error:
        words = str(error).split()
        needed = int(words[words.index("needs") + 1].strip(":").replace(",", ""))
        assert needed > length
        Corpus.build(text_of("x" * needed), block_size)
        with pytest.raises(CorpusError):
            Corpus.build(text_of("x" * (needed - 1)), block_size)
        if "--block-size" in words:
            Corpus.build(text_of("x" * length), int(words[-1]))
    else:
        assert WindowOrder(len(corpus.train), block_size, 1, 0).windows >= 1
        assert (
            sum(targets.size for _, targets in validation_windows(corpus.val, block_size, len(corpus.val), 2048)) >= 1
        )


ORDERS = st.fixed_dictionaries(
    {
        "n_tokens": st.integers(9, 300),
        "block_size": st.integers(1, 8),
        "batch_size": st.integers(1, 20),
        "seed": st.integers(0, 2**63 - 1),
    }
)


@given(ORDERS, st.integers(0, 10**9))
def test_batch_k_is_a_pure_function_of_its_number(sizes: dict[str, int], k: int) -> None:
    """Neither other batches nor another object in between changes it: that is what makes resuming exact."""
    order = WindowOrder(**sizes)
    first = order.starts(k)
    order.starts(0)
    order.starts(k + 7)
    assert np.array_equal(order.starts(k), first)
    assert np.array_equal(WindowOrder(**sizes).starts(k), first)
    assert first.shape == (sizes["batch_size"],)
    assert first.min() >= 0
    assert first.max() + sizes["block_size"] + 1 <= sizes["n_tokens"]


@given(ORDERS, st.integers(1, 4))
def test_ranks_share_an_epoch_out_without_replacement(sizes: dict[str, int], world: int) -> None:
    """One rank's batches, or all ranks' put together, are the same sequence; an epoch of it holds each window once."""
    ranks = [WindowOrder(**sizes, rank=rank, world=world) for rank in range(world)]
    windows, block_size = ranks[0].windows, sizes["block_size"]
    batches = -(-3 * windows // (world * sizes["batch_size"]))
    drawn = np.concatenate([rank.starts(k) for k in range(batches) for rank in ranks])
    alone = WindowOrder(**sizes)
    assert np.array_equal(drawn, np.concatenate([alone.starts(k) for k in range(batches * world)]))
    for epoch in range(3):
        starts = np.sort(drawn[epoch * windows : (epoch + 1) * windows])
        assert len(starts) == windows
        assert set(np.diff(starts)) <= {block_size}


def test_each_epoch_has_its_own_phase_and_order() -> None:
    order = WindowOrder(100_000, 64, 100, seed=1)
    epochs = [np.concatenate([order.starts(k) for k in range(e * 15, e * 15 + 15)]) for e in range(5)]
    assert len({int(starts[0]) % 64 for starts in epochs}) > 2
    assert not np.array_equal(np.argsort(epochs[0]), np.argsort(epochs[1]))
    assert not np.array_equal(order.starts(0), WindowOrder(100_000, 64, 100, seed=2).starts(0))


def test_in_the_long_run_every_token_is_met_also_at_the_ends() -> None:
    order = WindowOrder(50, 8, 4, seed=3)
    met = np.zeros(50, dtype=bool)
    for k in range(300):
        for start in order.starts(k):
            met[start : start + 9] = True
    assert met.all()


def test_the_order_is_the_same_in_every_version() -> None:
    """A run that was begun with an older release or numpy goes on with the same batches."""
    assert WindowOrder(1000, 16, 6, seed=1337).starts(12).tolist() == [963, 915, 259, 243, 403, 467]


def test_a_text_that_fills_no_window_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="do not fill one window"):
        WindowOrder(8, 8, 1, 0)
    assert WindowOrder(9, 8, 3, 0).starts(5).tolist() == [0, 0, 0]


def test_targets_are_the_inputs_one_token_later() -> None:
    tokens = np.arange(100, dtype=np.uint8)
    inputs, targets = gather(tokens, np.array([0, 50]), 4)
    assert inputs.tolist() == [[0, 1, 2, 3], [50, 51, 52, 53]]
    assert targets.tolist() == [[1, 2, 3, 4], [51, 52, 53, 54]]
    assert inputs.dtype == targets.dtype == np.int64
    assert inputs.flags.c_contiguous
    assert targets.flags.c_contiguous


@settings(max_examples=60)
@given(length=st.integers(2, 200), block_size=st.integers(1, 64), tokens_per_batch=st.integers(1, 128))
def test_validation_meets_every_target_once(length: int, block_size: int, tokens_per_batch: int) -> None:
    tokens = np.arange(length, dtype=np.uint8)
    batches = list(validation_windows(tokens, block_size, length, tokens_per_batch))
    targets = [int(token) for _, batch in batches for token in batch.flatten()]
    assert sorted(targets) == list(range(1, length))
    for inputs, batch in batches:
        assert np.array_equal(inputs + 1, batch)
        assert inputs.shape[1] == block_size or (inputs.shape[0] == 1 and inputs is batches[-1][0])
