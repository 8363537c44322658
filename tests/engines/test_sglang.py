"""SGLang: vLLM's list."""

from pointsman.engines import sglang
from pointsman.names import Dialect
from pointsman.served import Answer, ServedModel


def test_the_window_is_max_model_len() -> None:
    """The list has vLLM's field."""
    found = sglang.read({"/v1/models": Answer(200, b'{"data":[{"id":"m","max_model_len":131072}]}')})
    assert found.models == (ServedModel("m", context_window=131072, loaded=True),)


def test_it_speaks_chat_and_messages() -> None:
    """Those two are in its documentation."""
    assert sglang.KIND.api == (Dialect.CHAT, Dialect.MESSAGES)
