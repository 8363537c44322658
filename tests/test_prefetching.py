"""The Job's program: what it skips, when it tries again, how long it waits. With real clients: tests/real."""

from __future__ import annotations

import errno

import pytest

from pointsman import prefetching


class ToldError(Exception):
    """As requests and httpx raise it: with the answer."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} Error")
        self.response = type("Response", (), {"status_code": status, "headers": headers or {}})()


class BotoError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__("(SlowDown) when calling")
        told = {"HTTPStatusCode": status, "HTTPHeaders": {"retry-after": "3"}}
        self.response = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": told}


def caused(by: Exception) -> Exception:
    error = FileNotFoundError("the hub's client knows nothing of it")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ToldError(429), True),
        (ToldError(503), True),
        (ToldError(403), False),
        (ToldError(404), False),
        (BotoError(503), True),
        (BotoError(403), False),
        (caused(ToldError(429)), True),
        (caused(ToldError(401)), False),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (prefetching.IncompleteError(), True),
        (prefetching.MissingModelError(), False),
        (OSError(errno.ENOSPC, "full"), False),
        (caused(OSError(errno.EROFS, "read-only")), False),
        (PermissionError(errno.EACCES, "no"), False),
        (RuntimeError("IO Error: No space left on device (os error 28)"), False),
        (ModuleNotFoundError("No module named 'boto3'"), False),
        (ValueError("not a repo"), False),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception, again: bool) -> None:
    """A full disk, a refused token or a wrong name stay what they are."""
    assert prefetching.passes(error) is again


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "soon"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"RateLimit": '"api";r=0;t=55', "Retry-After": "1"}, 55.0),
    ],
)
def test_the_server_says_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    """In seconds, as a date, or as the hub does."""
    assert prefetching.asked_to_wait(ToldError(429, headers)) == seconds


def test_botos_answers_are_read_too() -> None:
    """They are dicts."""
    assert prefetching.asked_to_wait(BotoError(503)) == 3.0


def test_tries_end_and_the_last_error_is_the_one_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses grow twofold, up to a quarter of an hour."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    def fetch() -> None:
        raise ToldError(503)

    with pytest.raises(ToldError):
        prefetching.retried(fetch, 12, 2.0)
    assert slept == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


@pytest.mark.parametrize(
    ("names", "fetched"),
    [
        (["model.safetensors", "pytorch_model.bin", "tokenizer.json"], ["model.safetensors", "tokenizer.json"]),
        (["pytorch_model.bin", "onnx/model.onnx", "config.json"], ["pytorch_model.bin", "config.json"]),
        (["consolidated.safetensors", "original/x.safetensors"], ["consolidated.safetensors"]),
        (["vae/model.safetensors", "pytorch_model.bin"], ["vae/model.safetensors", "pytorch_model.bin"]),
    ],
)
def test_what_vllm_does_not_read_is_skipped(names: list[str], fetched: list[str]) -> None:
    """Only where there are safetensors are the others duplicates; a format that is asked for gets all."""
    skip = prefetching.skipped(names, everything=False)
    assert [name for name in names if not prefetching.matches(name, skip)] == fetched
    assert not prefetching.skipped(names, everything=True)


def test_the_last_line_is_the_clients_own_error_in_one_line() -> None:
    """As Python writes it: who reads last words knows that."""
    assert prefetching.line(OSError("a\nb")) == "OSError: a b"
    assert prefetching.line(prefetching.MissingModelError("x")) == "pointsman.prefetching.MissingModelError: x"
    assert prefetching.line(ToldError(502)).endswith("ToldError: 502 Error (502 Server Error)")


def test_an_error_that_caused_itself_is_looked_at_once() -> None:
    """Causes may go round in a circle."""
    one, other = ValueError(), OSError()
    one.__cause__, other.__cause__ = other, one
    assert prefetching.chain(one) == [one, other]
