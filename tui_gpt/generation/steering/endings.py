"""Why a text ended before its length limit."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

EndReason = Literal[
    "stop", "line", "sentence", "blank-line", "speaker", "time", "match", "incomplete-match", "dead-end"
]

END_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "stop": "ended at a stop string",
        "line": "ended at the end of a line",
        "sentence": "ended after a sentence",
        "blank-line": "ended at a blank line",
        "speaker": "ended at the next speaker",
        "time": "ended by the time limit",
        "match": "ended as the match is complete",
        "incomplete-match": "length limit reached before the match was complete",
        "dead-end": "ended as none of the model's characters may follow",
    }
)
"""Each reason in words."""
