"""Chat completions to and from the neutral form: see `codecs.Codec`."""

from __future__ import annotations

from pointsman.dialects.chat.body import write_request
from pointsman.dialects.chat.chunks import StreamWriter
from pointsman.dialects.chat.loss import loss
from pointsman.dialects.chat.reply import read_reply, write_reply
from pointsman.dialects.chat.request import read_request
from pointsman.dialects.chat.stream import StreamReader

__all__ = ["StreamReader", "StreamWriter", "loss", "read_reply", "read_request", "write_reply", "write_request"]
