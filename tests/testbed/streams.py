"""Streamed answers through the real OpenAI SDK, and a steady load of them that keeps account of every request."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx2
import openai

PROMPT = "Count."


@dataclass(slots=True)
class Answer:
    """One request's story, in `time.monotonic`; `error` is empty for an answer that came whole."""

    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    decision: str = ""
    text: str = ""
    finish: str = ""
    error: str = ""

    @property
    def who(self) -> str:
        """The target that answered, as PROVIDER/MODEL; empty where none did."""
        words = (word.strip() for word in self.decision.split(";"))
        return next((word.removeprefix("answered=") for word in words if word.startswith("answered=")), "")


async def ask(url: str, model: str = "assistant", tokens: int = 150) -> Answer:
    """One streamed answer over a connection of its own; what went wrong is told in `error`, not raised."""
    answer = Answer()
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60, http_client=http
    ) as client:
        try:
            await _read(client, model, tokens, answer)
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            answer.error = f"{type(error).__name__}: {error}"
    answer.ended = time.monotonic()
    if not answer.error and not answer.finish:
        answer.error = "the stream ended without a finish_reason"
    return answer


async def _read(client: openai.AsyncOpenAI, model: str, tokens: int, answer: Answer) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": PROMPT}], max_tokens=tokens, stream=True
    )
    answer.decision = raw.headers.get("x-pointsman-decision", "")
    async for chunk in raw.parse():
        for choice in chunk.choices:
            answer.text += choice.delta.content or ""
            answer.finish = choice.finish_reason or answer.finish


class Load:
    """`streams` clients that ask again as soon as they have an answer, until the block ends. An async context manager.

    answers: whole and broken ones, in the order in which they ended.
    """

    def __init__(self, url: str, streams: int, tokens: int = 150) -> None:
        self.answers: list[Answer] = []
        self._url, self._streams, self._tokens = url, streams, tokens
        self._going, self._ended = True, asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self._streams)]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._going = False
        await asyncio.gather(*self._tasks)

    async def _client(self) -> None:
        while self._going:
            self.answers.append(await ask(self._url, tokens=self._tokens))
            self._ended.set()

    async def answered(self, who: str, since: float, seconds: float = 60) -> Answer:
        """Waits for a whole answer of the target `who` to a request that began after `since`. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not (found := [a for a in self.answers if a.who == who and a.began > since and not a.error]):
                self._ended.clear()
                await self._ended.wait()
        return found[0]


def failures(answers: Iterable[Answer]) -> list[str]:
    """What each answer that did not come whole says."""
    return [f"{answer.decision or 'nobody'}: {answer.error}" for answer in answers if answer.error]
