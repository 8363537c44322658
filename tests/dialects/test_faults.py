"""A tool's result that is an error, where it cannot be marked as one."""

from __future__ import annotations

import pytest

from pointsman.dialects.chat import codec as chat
from pointsman.dialects.faults import WORD, told
from pointsman.dialects.responses import codec as responses
from pointsman.names import Dialect
from pointsman.neutral import Image, Part, Request, Role, Text, ToolResult, Turn
from pointsman.table import Model, Provider

PICTURE = Image("data:image/png;base64,AAAA")
SOME = Provider("p", "VLLM", "http://x", (Dialect.CHAT, Dialect.RESPONSES))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((), (Text(WORD),)),
        ((Text("a"), Text("b")), (Text("Error: a"), Text("b"))),
        ((PICTURE, Text("a")), (PICTURE, Text("Error: a"))),
        ((PICTURE,), (Text(WORD), PICTURE)),
    ],
)
def test_its_first_word_says_so(parts: tuple[Part, ...], expected: tuple[Part, ...]) -> None:
    """Whatever is in it."""
    assert told(ToolResult("c", parts, error=True)) == expected
    assert told(ToolResult("c", parts)) == parts


def test_both_dialects_say_the_same() -> None:
    """Nothing of it is lost, so nothing is named."""
    request = Request(Dialect.MESSAGES, "m", (Turn(Role.USER, (ToolResult("c", (Text("no"),), error=True),)),))
    assert chat.write_request(request, Model("m"), SOME)["messages"][0]["content"] == "Error: no"
    assert responses.write_request(request, Model("m"), SOME)["input"][0]["output"] == "Error: no"
    assert chat.loss(request, Model("m"), SOME) == responses.loss(request, Model("m"), SOME)
