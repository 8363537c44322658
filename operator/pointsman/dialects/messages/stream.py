"""A streamed answer in Messages: its reader and its writer."""

from pointsman.dialects.messages.reader import StreamReader
from pointsman.dialects.messages.writer import StreamWriter

__all__ = ["StreamReader", "StreamWriter"]
