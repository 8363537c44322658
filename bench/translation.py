"""What translation costs: streams between all dialects in one process, and through the gateway beside a passthrough.

    python bench/translation.py [--seconds 2] [--rounds 5]

First each pair of dialects on one core without a network: events a second that are split, scanned, read and written
anew, as the gateway does it. Then the gateway, with the same backend (it speaks chat) behind clients of each dialect:
chat is passed through, the other two are translated. Rounds are interleaved, and medians told.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

import gateway as bench
from pointsman import dialects
from pointsman.dialects.codecs import ALL
from pointsman.dialects.translation import Translation
from pointsman.exchange import Usage
from pointsman.gateway.reading import Streamed
from pointsman.names import Dialect
from pointsman.neutral import Begun, Closed, Ended, Event, Finish, Grew, Opened, Text

PIECES = 400  # of text in a stream
ASKED: dict[Dialect, dict[str, Any]] = {
    Dialect.CHAT: {"messages": [{"role": "user", "content": "hi"}]},
    Dialect.RESPONSES: {"input": "hi"},
    Dialect.MESSAGES: {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 64},
}
SHORT = {Dialect.CHAT: "chat", Dialect.RESPONSES: "responses", Dialect.MESSAGES: "messages"}


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of each round")
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    streams(options.seconds, options.rounds)
    through_the_gateway(options.seconds, options.rounds)
    return 0


def streams(seconds: float, rounds: int) -> None:
    """Events a second for each pair; a pair of one dialect is what scanning alone costs."""
    print("streamed text events a second on one core, client <- target")
    pairs = [(home, spoken) for home in Dialect for spoken in Dialect]
    found: dict[tuple[Dialect, Dialect], list[float]] = {pair: [] for pair in pairs}
    for _ in range(rounds):
        for pair in pairs:
            found[pair].append(_pace(*pair, seconds / 4))
    for home, spoken in pairs:
        what = "passed through" if home is spoken else "translated"
        print(f"  {SHORT[home]:9} <- {SHORT[spoken]:9} {statistics.median(found[home, spoken]):10,.0f}  {what}")


def _pace(home: Dialect, spoken: Dialect, seconds: float) -> float:
    wire, pieces = dialects.ALL[spoken], _frames(spoken)
    body = json.dumps({"model": "m", "stream": True, **ASKED[home]}).encode()
    head = dialects.ALL[home].read_head(body)
    translation, done, end = Translation(home, head.fields), 0, time.perf_counter() + seconds
    began = time.perf_counter()
    while time.perf_counter() < end:
        way = translation.crossing(spoken, "p", 1) if home is not spoken else None
        reading = Streamed(wire, head, way.translator() if way is not None else None)
        for piece in pieces:
            failure = reading.feed(piece, last=False)
            assert failure is None, failure
            reading.take()
        done += PIECES
    return done / (time.perf_counter() - began)


def _frames(dialect: Dialect) -> list[bytes]:
    """A stream of a dialect, an event a piece, as our own writer makes it."""
    said = {"model": "m", "stream": True, **ASKED[dialect]}
    asked = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in said.items()}
    write = ALL[dialect].StreamWriter(ALL[dialect].read_request(asked), 1).feed
    words: list[Event] = [Grew(0, f"word{i} ") for i in range(PIECES)]
    events: list[Event] = [Begun("a1", "m", 1), Opened(0, Text("")), *words, Closed(0)]
    return [frame for event in [*events, Ended(Finish.STOP, usage=Usage(3, PIECES))] if (frame := write(event))]


def through_the_gateway(seconds: float, rounds: int) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tool = bench.build(folder)
        if tool is None:
            print("no C compiler (cc): the load generator cannot be built; install gcc")
            return
        backend = bench.Server("direct", bench.free_port())
        ours = stack.enter_context(bench.gateway(folder, backend.port))
        tools = bench.Tools(tool, backend.port, folder)
        for case in (bench.CASES[4], bench.CASES[1], bench.CASES[5]):
            _report(case, _measure(case, (backend, ours), tools, seconds, rounds))


def _measure(
    case: bench.Case, servers: tuple[bench.Server, bench.Server], tools: bench.Tools, seconds: float, rounds: int
) -> dict[str, list[bench.Result]]:
    found: dict[str, list[bench.Result]] = {name: [] for name in ("direct", *SHORT.values())}
    for turn in range(rounds + 1):
        for name, results in found.items():
            dialect = next((each for each, short in SHORT.items() if short == name), Dialect.CHAT)
            (tools.folder / "request").write_bytes(_request(dialect, case))
            result = bench.load(tools, servers[name != "direct"], case, seconds if turn else 0.5)
            if turn:
                results.append(result)
    return found


def _report(case: bench.Case, found: dict[str, list[bench.Result]]) -> None:
    print(f"\n{case.name}")
    medians = {name: bench.Result(*(statistics.median(column) for column in zip(*rounds, strict=True)))
               for name, rounds in found.items()}  # fmt: skip
    through = medians["chat"]
    for name, result in medians.items():
        added = result.p50 - medians["direct"].p50
        what = f"{result.events:9,.0f} events/s" if case.stream else f"{result.rate:9,.0f} req/s"
        ratio = through.events / max(result.events, 1) if case.stream else through.rate / max(result.rate, 1)
        ratio = added / max(through.p50 - medians["direct"].p50, 0.1) if case.rate else ratio
        beside = f"{ratio:5.2f} times the passthrough" if name not in {"direct", "chat"} else ""
        print(f"  {name:9} {what}  p50 {result.p50:8,.0f} us (+{added:6,.0f})  {result.cpu:7.1f} us CPU a request  "
              f"{result.errors:.0f} errors  {beside}")  # fmt: skip


def _request(dialect: Dialect, case: bench.Case) -> bytes:
    asked = {**ASKED[dialect], "model": "assistant", "stream": case.stream, "temperature": 0.2}
    body = json.dumps(asked).encode()
    head = f"POST {dialects.ALL[dialect].PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


if __name__ == "__main__":
    sys.exit(main())
