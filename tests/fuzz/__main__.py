"""`make fuzz`: mutated inputs for every target; what is found is made small and kept in corpus/.

python -m fuzz [--inputs 1000000] [--seed 1] [--target NAME]...
"""

from __future__ import annotations

import argparse
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from fuzz import targets
from fuzz.fakeedge import taken_on
from fuzz.mutation import Mutator, minimised
from fuzz.targets import Target

CORPUS = Path(__file__).parent / "corpus"
FINDINGS = 5  # of one kind in one target, after which it is left


def trouble(target: Target, data: bytes) -> str:
    """What an input brings to light: an exception's type and where it came from; empty: nothing."""
    try:
        with taken_on():
            target.run(data)
    except Exception as error:  # noqa: BLE001 - any is a finding, and is reported as one
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
        text = str(error).partition("\n")[0][:80] if isinstance(error, AssertionError) else ""
        return f"{type(error).__name__} at {place} {text}".strip()
    return ""


def fuzz(name: str, inputs: int, seed: int) -> dict[str, bytes]:
    """Run so many inputs; the kinds of trouble, each with its smallest input."""
    target = targets.ALL[name]
    mutator = Mutator(seed, target.seeds, target.tokens)
    found: dict[str, bytes] = {}
    began = time.perf_counter()
    for _ in range(inputs):
        data = mutator.next()
        kind = trouble(target, data)
        if kind and kind not in found:
            found[kind] = minimised(data, _bringing(target, kind))
            if len(found) == FINDINGS:
                break
    rate = inputs / (time.perf_counter() - began)
    print(f"{name:8} {inputs:9,} inputs  {rate:8,.0f}/s  {len(found)} findings", flush=True)
    return found


def _bringing(target: Target, kind: str) -> Callable[[bytes], bool]:
    return lambda data: trouble(target, data) == kind


def keep(name: str, data: bytes) -> Path:
    """Put an input into the corpus."""
    CORPUS.mkdir(exist_ok=True)
    file = CORPUS / f"{name}-{zlib.crc32(data):08x}"
    file.write_bytes(data)
    return file


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=list(targets.ALL))
    arguments = parser.parse_args()
    names = arguments.target or list(targets.ALL)
    shares = sum(targets.ALL[name].share for name in names)
    total, began = 0, time.perf_counter()
    for name in names:
        inputs = arguments.inputs * targets.ALL[name].share // shares
        for kind, data in fuzz(name, inputs, arguments.seed).items():
            print(f"  {kind}\n    {data[:200]!r}\n    kept as {keep(name, data).name}")
            total += 1
    seconds = time.perf_counter() - began
    print(f"{arguments.inputs:,} inputs in {seconds:.0f} s ({arguments.inputs / seconds:,.0f}/s): {total} findings")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
