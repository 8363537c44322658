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


def test_its_figures_are_there_with_a_flag_only() -> None:
    """--enable-metrics; without it there is no such path."""
    shown = sglang.look(Answer(200, b'sglang:num_running_reqs{model_name="m"} 2.0\nsglang:gen_throughput 9.5\n'))
    assert shown
    assert (shown.running, len(shown.figures)) == (2.0, 2)
    assert sglang.look(Answer(404)) is None
    assert sglang.look(Answer(200, b"other 1\n")) is None
