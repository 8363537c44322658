"""What chat completions' codec provides."""

from __future__ import annotations

from pointsman.dialects.chat import codec as chat_codec


def test_all_of_a_codec_is_there() -> None:
    """The names that `codecs.Codec` asks for."""
    assert sorted(chat_codec.__all__) == [
        "StreamReader", "StreamWriter", "loss", "read_reply", "read_request", "write_reply", "write_request",
    ]  # fmt: skip
    assert all(callable(getattr(chat_codec, name)) for name in chat_codec.__all__)
