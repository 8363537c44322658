"""`make demo`: two real backends, Pointsman over them, a real client; the primary is killed amid its answers.

Every answer is compared with the text that the model must give, to the letter: an answer that is cut, doubled or
mixed counts as failed. The last line is `N requests, 0 failed, M failovers`; the exit status says the same.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import openai
from demo_process import Up  # beside this file

from testbed.llama import LlamaServer
from testbed.ports import free_port
from testbed.tinymodel import TinyModel
from testbed.waiting import until

CLIENTS = 8
TOKENS = 200
SECONDS = 24.0
KILL_AT, BACK_AT = 6.0, 14.0
OBJECTS = Path(__file__).parent / "objects.yaml"


@dataclass
class Tally:
    """What the clients saw."""

    answered: Counter[str] = field(default_factory=Counter)
    open: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.answered.total() + len(self.failures)


def main() -> int:
    with ExitStack() as stack:
        say("1/3  starting two real llama-server backends: alpha and beta")
        model = TinyModel("long")
        alpha, beta = (
            stack.enter_context(LlamaServer(model, alias=name, slots=CLIENTS)) for name in ("alpha-model", "beta-model")
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pointsman-demo-")))
        listen = f"127.0.0.1:{free_port()}"
        objects = Template(OBJECTS.read_text()).substitute(ALPHA=alpha.base_url, BETA=beta.base_url)
        (folder / "objects.yaml").write_text(objects)
        say(f"2/3  pointsman up objects.yaml --listen {listen}, which says:\n")
        print(indent("\n".join(line for line in objects.splitlines() if not line.startswith("#"))), flush=True)
        up = stack.enter_context(Up(folder, listen))
        until(up.ready, 30, what="the gateway")
        say(f"3/3  {CLIENTS} clients stream {TOKENS} tokens at a time through the OpenAI SDK for {SECONDS:.0f} s\n")
        tally = asyncio.run(play(f"http://{listen}", alpha, model.answer))
        failovers = up.failovers()
    for failure in tally.failures[:5]:
        print("     failed:", failure)
    print(f"\n{tally.requests} requests, {len(tally.failures)} failed, {failovers} failovers", flush=True)
    return 1 if tally.failures or not failovers else 0


async def play(url: str, alpha: LlamaServer, answer: str) -> Tally:
    """Clients ask until the time is over, while alpha is killed and brought back."""
    tally, began = Tally(), time.monotonic()
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none-needed", max_retries=0, timeout=60)
    async with client, asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(keep_asking(client, tally, answer, began + SECONDS))
        tasks.create_task(watch(tally, began))
        tasks.create_task(disturb(alpha, tally, began))
    return tally


async def keep_asking(client: openai.AsyncOpenAI, tally: Tally, answer: str, end: float) -> None:
    while time.monotonic() < end:
        tally.open += 1
        try:
            who, text = await ask(client)
            if answer.startswith(text) and len(text) > TOKENS:
                tally.answered[who] += 1
            else:
                tally.failures.append(
                    f"{who} gave a wrong answer of {len(text)} characters: {text[:60]!r}…{text[-60:]!r}"
                )
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises is a failed request
            tally.failures.append(f"{type(error).__name__}: {error}")
        finally:
            tally.open -= 1


async def ask(client: openai.AsyncOpenAI) -> tuple[str, str]:
    """One streamed request: who answered, and the whole text. APIError when the stream does not end as it should."""
    raw = await client.chat.completions.with_raw_response.create(
        model="assistant", messages=[{"role": "user", "content": "Count."}], max_tokens=TOKENS, stream=True
    )
    text, finish = [], None
    async for chunk in raw.parse():
        for choice in chunk.choices:
            text.append(choice.delta.content or "")
            finish = choice.finish_reason or finish
    if finish is None:
        raise openai.APIError("the stream ended without a finish_reason", request=raw.http_request, body=None)
    return answered_by(raw.headers.get("x-pointsman-decision", "")), "".join(text)


def answered_by(decision: str) -> str:
    """The provider that the decision header names."""
    parts = dict(part.strip().partition("=")[::2] for part in decision.split(";") if "=" in part)
    return parts.get("answered", "?").split("/")[0]


async def disturb(alpha: LlamaServer, tally: Tally, began: float) -> None:
    await asyncio.sleep(began + KILL_AT - time.monotonic())
    alpha.kill()
    tell(began, f"✗ alpha killed (SIGKILL) with {tally.open} answers under way")
    await asyncio.sleep(began + BACK_AT - time.monotonic())
    await asyncio.to_thread(alpha.start)
    tell(began, "✓ alpha is back")


async def watch(tally: Tally, began: float) -> None:
    """Say each second who answered since the last one."""
    last: Counter[str] = Counter()
    while time.monotonic() < began + SECONDS:
        await asyncio.sleep(1)
        since = tally.answered - last
        last = tally.answered.copy()
        bars = "   ".join(f"{name} {since[name]:3d} {'█' * min(since[name], 30):30}" for name in ("alpha", "beta"))
        tell(began, f"{bars} failed {len(tally.failures)}")


def tell(began: float, text: str) -> None:
    print(f"     {time.monotonic() - began:5.1f} s  {text}", flush=True)


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def indent(text: str) -> str:
    return "\n".join(f"       {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
