"""Errors of the network are distinguished from errors of the program."""

import pytest

from tui_gpt.errors import RankLostError
from tui_gpt.training.distributed.group import lost_ranks_reported


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("[gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:26315: Connection reset by peer", "reset by peer"),
        ("[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 5000ms for recv operation", "timed out"),
        ("NCCL communicator was aborted on rank 1", "the connection failed"),
    ],
)
def test_an_error_of_the_network_is_a_lost_rank(message: str, reason: str) -> None:
    with pytest.raises(RankLostError, match=rf"lost \(.*{reason}\): .* --resume"), lost_ranks_reported():
        raise RuntimeError(message)


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes") as caught, lost_ranks_reported():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied (4x3 and 2x2)")
    assert not isinstance(caught.value, RankLostError)
