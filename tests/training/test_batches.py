"""What the model is trained and measured on."""

from tests.training.workbench import Workbench


def test_the_training_sample_is_spread_evenly_however_small_it_is() -> None:
    """The beginning of a text is often a title page."""
    bench = Workbench()
    (one,) = bench.parts.batches.training_sample(1)
    middle = len(bench.corpus.train) // 2
    expected = bench.corpus.train[middle - 8 : middle + 8]
    assert one.inputs[0].tolist() == expected.tolist()
