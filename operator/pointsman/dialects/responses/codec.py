"""The codec of OpenAI's Responses (`codecs.Codec`)."""

from pointsman.dialects.responses.ask import write_request
from pointsman.dialects.responses.loss import loss
from pointsman.dialects.responses.reply import read_reply, write_reply
from pointsman.dialects.responses.request import read_request
from pointsman.dialects.responses.stream import StreamReader
from pointsman.dialects.responses.write import StreamWriter

__all__ = ["StreamReader", "StreamWriter", "loss", "read_reply", "read_request", "write_reply", "write_request"]
