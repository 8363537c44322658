"""Anthropic's Messages, translated (`codecs.Codec`): what of other dialects it has no words for is said by `loss`."""

from __future__ import annotations

from typing import Final

from pointsman.dialects import features
from pointsman.dialects.messages.loss import loss
from pointsman.dialects.messages.reply import read_reply, write_reply
from pointsman.dialects.messages.request import read_request
from pointsman.dialects.messages.stream import StreamReader, StreamWriter
from pointsman.dialects.messages.target import write_request
from pointsman.names import Dialect

FEATURES: Final = frozenset(features.FEATURES[Dialect.MESSAGES])
"""Top-level fields that change what the client gets."""

__all__ = [
    "FEATURES",
    "StreamReader",
    "StreamWriter",
    "loss",
    "read_reply",
    "read_request",
    "write_reply",
    "write_request",
]
