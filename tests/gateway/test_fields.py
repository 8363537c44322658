"""Fields that cross the gateway."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.gateway.fields import passed_on, read_retry_after, read_wait
from pointsman.names import Dialect

NOW = 1_795_242_513.0  # Sat, 21 Nov 2026 06:28:33 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"7", 7), (b"0.5", 0.5), (b"", 0), (b"soon", 0), (b"-3", 0), (b"Sat, 21 Nov 2026 06:29:33 GMT", 60),
     (b"Sat, 21 Nov 2026 06:00:00 GMT", 0), (b"Sat, 99 Nov 2026", 0)],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(value: bytes, seconds: float) -> None:
    """Both ways to write it; what cannot be read says nothing."""
    assert read_retry_after(value, NOW) == pytest.approx(seconds, abs=1)


@given(st.binary(max_size=30))
def test_no_retry_after_is_too_odd(value: bytes) -> None:
    """Never negative, never an error."""
    assert read_retry_after(value, NOW) >= 0


def test_anthropic_fields_go_to_anthropic_paths_alone() -> None:
    """Version and beta belong to Messages; what the provider sets itself is not sent twice."""
    fields = {b"anthropic-beta": b"b", b"accept": b"a"}
    assert passed_on(Dialect.CHAT, fields, ()) == b"Accept: a\r\n"
    assert (
        passed_on(Dialect.MESSAGES, fields, ())
        == b"Accept: a\r\nanthropic-version: 2023-06-01\r\nanthropic-beta: b\r\n"
    )
    assert passed_on(Dialect.MESSAGES, fields, {b"anthropic-version", b"accept"}) == b"anthropic-beta: b\r\n"


RESET = b"anthropic-ratelimit-%b-reset"
LEFT = b"anthropic-ratelimit-%b-remaining"


@pytest.mark.parametrize(
    ("status", "answer", "seconds"),
    [
        (429, {b"Retry-After": b"7", b"retry-after-ms": b"6500"}, 6.5),  # OpenAI, Azure
        (429, {b"retry-after": b"7", b"x-ratelimit-reset-requests": b"6m0s"}, 7),
        (429, {b"x-ratelimit-remaining-requests": b"0", b"x-ratelimit-reset-requests": b"6m0s",
               b"x-ratelimit-remaining-tokens": b"149984", b"x-ratelimit-reset-tokens": b"1s"}, 360),
        (429, {b"x-ratelimit-remaining-tokens": b"12", b"x-ratelimit-reset-tokens": b"7.66s",
               b"x-ratelimit-remaining-requests": b"14370", b"x-ratelimit-reset-requests": b"2m59.56s"}, 7.66),  # Groq
        (429, {b"X-RateLimit-Reset-Tokens": b"120ms"}, 0.12),
        (429, {LEFT % b"requests": b"0", RESET % b"requests": b"2026-11-21T06:29:33Z",
               LEFT % b"input-tokens": b"0", RESET % b"input-tokens": b"2026-11-21T06:30:33Z",
               LEFT % b"output-tokens": b"9", RESET % b"output-tokens": b"2026-11-21T07:30:33Z"}, 120),
        (429, {RESET % b"tokens": b"2026-11-21T06:00:00Z"}, 0),  # past
        (429, {b"X-RateLimit-Remaining": b"0", b"X-RateLimit-Reset": b"1795242543000"}, 30),  # OpenRouter
        (429, {b"x-ratelimit-reset": b"1795242543"}, 30),
        (529, {RESET % b"requests": b"2026-11-21T06:29:33Z"}, 0),  # full, and not by this client's limits
        (503, {b"retry-after": b"3"}, 3), (429, {}, 0), (429, {b"x-ratelimit-reset-tokens": b"soon"}, 0),
        (402, {b"Retry-After": b"2"}, 2),
    ],
)  # fmt: skip
def test_vendors_say_how_long_to_wait(status: int, answer: dict[bytes, bytes], seconds: float) -> None:
    """As OpenAI, Groq, Anthropic and OpenRouter were recorded to, in their own words."""
    assert read_wait(status, answer, NOW) == pytest.approx(seconds, abs=0.5 if seconds > 20 else 0.001)


@given(st.dictionaries(
    st.sampled_from([b"retry-after-ms", b"retry-after", b"x-ratelimit-reset", b"x-ratelimit-reset-tokens",
                     RESET % b"tokens"]),
    st.binary(max_size=30) | st.sampled_from([b"9" * 400, b"1e999", b"9999-12-31T23:59:59Z", b"0001-01-01"]),
))  # fmt: skip
def test_no_wait_is_too_odd(answer: dict[bytes, bytes]) -> None:
    """Never negative, never endless, never an error."""
    assert 0 <= read_wait(429, answer, NOW) < float("inf")


CLIENT = {
    b"user-agent": b"OpenAI/JS 7.15.0", b"originator": b"codex_cli_rs", b"version": b"0.169.0",
    b"x-stainless-lang": b"js", b"session_id": b"s", b"conversation_id": b"c", b"x-client-request-id": b"r",
    b"x-session-affinity": b"s", b"openai-organization": b"org-1", b"openai-project": b"p", b"openai-beta": b"x",
    b"http-referer": b"https://me", b"x-title": b"me", b"authorization": b"Bearer k", b"x-api-key": b"k",
    b"cookie": b"c", b"traceparent": b"00-1", b"anthropic-dangerous-direct-browser-access": b"true",
    b"chatgpt-account-id": b"a",
}  # fmt: skip


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("native", [True, False])
def test_nothing_says_who_the_client_is(dialect: Dialect, native: bool) -> None:
    """No attribution, sessions, keys or accounts; a provider's own headers may name an organization or a project."""
    version = b"anthropic-version: 2023-06-01\r\n" if dialect is Dialect.MESSAGES else b""
    assert passed_on(dialect, CLIENT, (), native=native) == version


def test_betas_go_to_anthropic_itself() -> None:
    """Others do not have them, and some refuse the field."""
    asked = {b"anthropic-beta": b"interleaved-thinking-2025-05-14", b"anthropic-version": b"2023-06-01"}
    assert b"anthropic-beta: interleaved" in passed_on(Dialect.MESSAGES, asked, (), native=True)
    assert passed_on(Dialect.MESSAGES, asked, (), native=False) == b"anthropic-version: 2023-06-01\r\n"
