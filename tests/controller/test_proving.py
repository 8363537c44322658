"""New engines that are asked for one completion, over real connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from pointsman.api.deploy import Deploy
from pointsman.controller.proving import Name, Pace, Proving
from pointsman.fleet.world import ProofResult
from prober.scripted import Answering

NAME: Name = ("ai", "qwen")
DEPLOY = Deploy.model_validate({"model": {"source": "hf://Qwen/Qwen3-32B", "servedNames": ["qwen", "other"]}})
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
CHOICES = (200, b'{"choices": [{}]}')
DEAD = (500, b'{"error": {"message": "engine is dead"}}')
FAST = Pace(timeout=5.0, attempts=3, pause=0.01, again=0.05)
SELDOM = Pace(timeout=5.0, attempts=3, pause=0.01, again=3600.0)

Start = Callable[[Answering], Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts an engine; gives its host:port."""
    async with AsyncExitStack() as stack:

        async def one(script: Answering) -> str:
            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    await script(reader, writer)
                finally:
                    writer.close()

            server = await stack.enter_async_context(await asyncio.start_server(connected, "127.0.0.1", 0))
            host, port = server.sockets[0].getsockname()
            return f"{host}:{port}"

        yield one


class Ear:
    """Hears of results."""

    def __init__(self, pace: Pace = FAST) -> None:
        self.told: asyncio.Queue[ProofResult] = asyncio.Queue()
        self.proving = Proving(self._heard, pace)

    def _heard(self, name: Name) -> None:
        assert name == NAME
        self.told.put_nowait(self.proving.results("ai")["qwen"])

    def ask(self, *addresses: str, revision: str = "r1", key: str = "k") -> None:
        self.proving.ask(NAME, revision, addresses, key, DEPLOY)

    async def result(self) -> ProofResult:
        async with asyncio.timeout(10):
            return await self.told.get()


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    made = Ear()
    yield made
    await made.proving.close()


@pytest.fixture
async def patient() -> AsyncIterator[Ear]:
    """One that does not ask again by itself."""
    made = Ear(SELDOM)
    yield made
    await made.proving.close()


async def test_proved(start: Start, ear: Ear) -> None:
    """Each replica is asked once, by the served name and with the key; then nobody is asked any more."""
    engines = [Answering({CHAT: CHOICES}) for _ in range(2)]
    addresses = [await start(each) for each in engines]
    ear.ask(*addresses)
    assert await ear.result() == ProofResult("r1", ok=True)
    ear.ask(*addresses)
    ear.ask(addresses[0])
    assert [len(each.heads) for each in engines] == [1, 1]
    for each in engines:
        assert "authorization: bearer k" in each.heads[0].lower()
        assert '"model":"qwen"' in each.bodies[0]


async def test_one_replica_fails(start: Start, ear: Ear) -> None:
    """All have to answer; the fault tells which, and what it said, after three attempts."""
    dead = Answering({CHAT: DEAD})
    good, bad = await start(Answering({CHAT: CHOICES})), await start(dead)
    ear.ask(good, bad)
    assert await ear.result() == ProofResult("r1", False, f"http://{bad}: it answered with 500: engine is dead")
    assert len(dead.heads) == 3


async def test_late_answer(start: Start, ear: Ear) -> None:
    """One that fails at first is asked again before it counts as failed."""

    class Mended(Answering):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.paths = {CHAT: CHOICES if self.connections else DEAD}
            await super().__call__(reader, writer)

    engine = Mended(extra="connection: close\r\n")
    ear.ask(await start(engine))
    assert (await ear.result()).ok
    assert len(engine.heads) == 2


async def test_model_that_embeds(start: Start, ear: Ear) -> None:
    """A model that does not chat is asked for what else it may do."""
    ear.ask(await start(Answering({CHAT: (400, b"{}"), EMBEDDINGS: (200, b'{"data": [{"embedding": [1]}]}')})))
    assert (await ear.result()).ok


async def test_nobody_there(ear: Ear) -> None:
    """A replica that does not listen fails the proof."""
    ear.ask("127.0.0.1:1")
    assert "nothing listens at 127.0.0.1:1" in (await ear.result()).message


async def test_asked_again(start: Start, ear: Ear, patient: Ear) -> None:
    """A failed engine is asked anew after a while if that is still wanted, and its failure stands meanwhile."""
    engine = Answering({CHAT: DEAD})
    address = await start(engine)
    ear.ask(address)
    assert not (await ear.result()).ok
    engine.paths = {CHAT: CHOICES}
    while ear.told.empty():
        ear.ask(address)
        assert "qwen" in ear.proving.results("ai")
        await asyncio.sleep(0.01)
    assert (await ear.result()).ok

    engine.paths = {CHAT: DEAD}
    patient.ask(address)
    assert not (await patient.result()).ok
    asked = len(engine.heads)
    patient.ask(address)
    assert len(engine.heads) == asked


async def test_other_addresses(start: Start, patient: Ear) -> None:
    """What failed at an address that is gone says nothing of the new one."""
    patient.ask("127.0.0.1:1")
    assert not (await patient.result()).ok
    patient.ask(await start(Answering({CHAT: CHOICES})))
    assert (await patient.result()).ok


async def test_another_revision(start: Start, patient: Ear) -> None:
    """It is asked whatever the last one proved, and the old result does not stand for it."""
    engine = Answering({CHAT: CHOICES})
    address = await start(engine)
    patient.ask(address)
    assert await patient.result() == ProofResult("r1", ok=True)
    patient.ask(address, revision="r2")
    assert not patient.proving.results("ai")
    assert await patient.result() == ProofResult("r2", ok=True)


async def test_nobody_asks(start: Start, patient: Ear) -> None:
    """The result stands for whoever has to act on it; rolled out another time, the same revision is asked again."""
    engine = Answering({CHAT: CHOICES})
    address = await start(engine)
    patient.ask(address)
    await patient.result()
    patient.ask(address, revision="")
    assert patient.proving.results("ai") == {"qwen": ProofResult("r1", ok=True)}
    patient.ask(address)
    assert not patient.proving.results("ai")
    await patient.result()
    assert len(engine.heads) == 2


async def test_no_address_yet(patient: Ear) -> None:
    """Nobody can be asked, which is no failure."""
    patient.ask()
    assert not patient.proving.results("ai")
    await patient.proving.close()
    assert patient.told.empty()


async def test_close(start: Start, patient: Ear) -> None:
    """A question that is under way ends without a result."""
    silent = asyncio.Event()

    class Silent(Answering):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            silent.set()
            await reader.read()
            assert writer.is_closing() or reader.at_eof()

    patient.ask(await start(Silent()))
    async with asyncio.timeout(10):
        await silent.wait()
        await patient.proving.close()
    assert patient.told.empty()
