"""What of a target's error a client is told."""

from __future__ import annotations

import json

import pytest

from pointsman.dialects import errors
from pointsman.exchange import Failure, FailureKind


def test_what_fastapi_says_is_told_for_people() -> None:
    """Where and what, not the list as it stands in a program."""
    detail = [{"loc": ["body", "messages", 0, "role"], "msg": "Field required", "type": "missing"}, {"msg": "odd"}, "x"]
    failure = errors.read_error(422, json.dumps({"detail": detail}).encode())
    assert failure.message == "body.messages.0.role: Field required; odd; x"


@pytest.mark.parametrize(
    ("message", "seconds"),
    [("Rate limit reached. Please try again in 3s.", 3), ("try again in 1m30.5s", 90.5), ("Try again in 20ms", 0.02),
     ("try again in a while", 0), ("", 0)],
)  # fmt: skip
def test_a_stream_says_when_to_come_again(message: str, seconds: float) -> None:
    """There is no header within a stream."""
    error = {"code": "rate_limit_exceeded", "message": message}
    failure = errors.read_stream_error(error)
    assert (failure.kind, failure.retry_after) == (FailureKind.RATE_LIMITED, seconds)


@pytest.mark.parametrize(
    ("status", "message", "billing"),
    [(402, "", True), (429, "You exceeded your current quota", True), (401, "credit balance", False),
     (403, "billing", False), (400, "Your credit balance is too low", True), (400, "invalid x-api-key", False)],
)  # fmt: skip
def test_what_is_about_money_is_not_about_the_key(status: int, message: str, billing: bool) -> None:
    """Both cool the target alike."""
    assert errors.is_billing(Failure(FailureKind.AUTHENTICATION, message, status)) is billing
    assert not errors.is_billing(Failure(FailureKind.RATE_LIMITED, message, status))


def test_what_is_wrong_is_named() -> None:
    """As far as it is said in words."""
    error = {"message": "no", "param": "tools[0]", "code": "invalid_value", "type": "x"}
    assert errors.particulars(json.dumps({"error": error}).encode()) == {"param": "tools[0]", "code": "invalid_value"}
    assert errors.particulars(b'{"error": {"code": 400, "param": null}}') == {}
    assert errors.particulars(b"<html>") == {}
    assert errors.particulars(b'{"error": "no"}') == {}
