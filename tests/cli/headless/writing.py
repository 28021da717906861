"""Generating with a fake session."""

from tests.fakes import FakeSession
from tui_gpt.cli.headless.generate import generate
from tui_gpt.cli.headless.streams import Streams
from tui_gpt.config import SampleConfig


def write(
    session: FakeSession,
    streams: Streams,
    prompt: str = "",
    *,
    samples: int = 1,
    as_json: bool = False,
    length: int = 6,
) -> int:
    config = SampleConfig(max_new_tokens=length, seed=7)
    return generate(session, None, prompt, config, streams, samples=samples, as_json=as_json)
