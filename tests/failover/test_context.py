"""Whether a request fits into a window: known at once, estimated, counted, learned; and never in doubt at Ollama."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pointsman import counting
from pointsman.dialects import chat
from pointsman.exchange import IMAGE, Failure, FailureKind, Head
from pointsman.failover import context
from pointsman.failover.choose import Candidate, Order, Passed, fits_all, fitting, larger, uncounted
from pointsman.failover.context import Fit, Windows
from pointsman.table import Model, Provider


def target(name: str, window: int = 0, kind: str = "OpenAICompatible", **more: Any) -> Candidate:
    place = Provider(name=name, type=kind, base_url="http://x", api=("openai-completions",))
    return Candidate(place, Model(id="m", context_window=window, **more))


def ask(words: int, max_tokens: int = 0, needs: int = 0, text: str = "word ") -> Head:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text * words}]}).encode()
    head = chat.read_head(body)
    return Head("m", stream=True, fields=head.fields, needs=needs, max_tokens=max_tokens, size=len(body))


def order(*candidates: Candidate) -> Order:
    return Order(candidates, len(candidates), (), context.narrowest(candidates), context.most(candidates))


def names(found: Order) -> list[str]:
    return [candidate.provider.name for candidate in found.candidates]


def too_long(window: int = 0) -> Failure:
    return Failure(FailureKind.CONTEXT_LENGTH_EXCEEDED, window=window)


def test_what_has_fewer_bytes_than_the_window_has_tokens_fits() -> None:
    """No target is looked at then, and the very order comes back."""
    tried = order(target("a", 8192), target("b"))
    assert fitting(tried, Windows(), ask(10)) == (tried, ())
    assert uncounted(tried, Windows(), ask(10)) is None
    assert fits_all(tried, Windows(), ask(10))
    assert not fits_all(tried, Windows(), ask(10, max_tokens=8000))


def test_too_small_is_left_out_and_told() -> None:
    """Prompt and answer must fit together; the numbers are told."""
    found, passed = fitting(order(target("small", 8192), target("large", 131072)), Windows(), ask(8000))
    assert names(found) == ["large"]
    assert found.limit == 1
    assert [(p.provider, p.reason, p.window) for p in passed] == [("small", "context", 8192)]
    assert passed[0].message == "about 12500 tokens and 1024 for the answer; its window is 8192"


def test_an_unknown_window_takes_all() -> None:
    """Nothing is left out on no knowledge at all."""
    tried = order(target("a"), target("b", 4096))
    assert names(fitting(tried, Windows(), ask(100_000))[0]) == ["a"]


def test_the_answer_counts() -> None:
    """As asked; else 1024, or what the model writes at most if that is less."""
    assert context.answer(Model(id="m"), ask(1)) == 1024
    assert context.answer(Model(id="m", max_tokens=200), ask(1)) == 200
    assert context.answer(Model(id="m", max_tokens=200), ask(1, max_tokens=7000)) == 7000
    assert fitting(order(target("a", 8192)), Windows(), ask(10, max_tokens=9000))[0].candidates == ()


def test_a_guess_gives_nothing_up() -> None:
    """Where an estimate is near the limit, the target comes after the others, and is told."""
    near = target("near", 10_000)
    found, passed = fitting(order(near, target("large", 131072)), Windows(), ask(6500))
    assert names(found) == ["large", "near"]
    assert found.limit == 2
    assert [p.provider for p in passed] == ["near"]


def test_cooling_ones_stay_last_and_one_of_them_is_tried() -> None:
    """What does not fit makes room for the next of the cooling ones."""
    a, b, c = target("a", 131072), target("b", 1024), target("c", 131072)
    tried = Order((a, b, c), 2, (), context.narrowest((a, b, c)))
    tried = Order(tried.candidates, 2, tuple(fitting(order(b), Windows(), ask(5000))[1]), tried.narrowest)
    found, passed = fitting(tried, Windows(), ask(5000))
    assert (names(found), found.limit) == (["a", "c"], 2)
    assert [p.provider for p in passed] == ["b"]


def test_a_server_that_counts_is_asked() -> None:
    """Only near the limit, only the one that would be tried next, and once."""
    local, other = target("local", 10_000, "VLLM"), target("other", 131072)
    tried = order(local, other)
    assert uncounted(tried, Windows(), ask(6500)) is local
    assert uncounted(tried, Windows(), ask(2000)) is None
    assert uncounted(tried, Windows(), ask(60_000)) is None
    assert uncounted(tried, Windows(), ask(6500), {local: 0}) is None
    assert uncounted(order(other, local), Windows(), ask(6500)) is None
    assert names(fitting(tried, Windows(), ask(6500), {local: 6500})[0]) == ["local", "other"]
    found, passed = fitting(tried, Windows(), ask(6500), {local: 9500})
    assert names(found) == ["other"]
    assert passed[0].message == "9500 tokens and 1024 for the answer; its window is 10000"


def test_tokens_per_byte_are_learned() -> None:
    """Of each target, from requests that are long enough; an image says nothing of text."""
    windows, place, head = Windows(), target("a", 8192), ask(4000)
    before = windows.estimate("a", "m", 10_000)
    for _ in range(30):
        windows.observed(place, head, 4000)
    assert windows.estimate("a", "m", head.size) == pytest.approx(4000, rel=0.01)
    assert windows.estimate("b", "m", 10_000) == before
    windows.observed(place, ask(4000, needs=IMAGE), 20_000)
    windows.observed(place, ask(1), 20)
    windows.observed(place, head, 1)
    assert windows.estimate("a", "m", head.size) == pytest.approx(4000, rel=0.01)
    windows.forget("a")
    assert windows.estimate("a", "m", 10_000) == before


def test_the_true_window_is_learned_from_a_refusal() -> None:
    """As the target says, and no larger than the table says. Another table, another window."""
    windows, place = Windows(), target("a")
    head = ask(3000)
    assert windows.failed(place, head, too_long(2048), 0.0) == 2048
    assert windows.fits(place, head) is Fit.NO
    assert not fits_all(order(place), windows, head)
    assert windows.fits(target("a", 32_000), head) is Fit.YES
    assert windows.failed(target("c", 4096), head, too_long(99_999), 0.0) == 4096
    assert windows.failed(target("d"), head, Failure(FailureKind.TIMEOUT), 0.0) == 0
    windows.forget("a")
    assert windows.window(place) == 0
    assert windows.narrowest == context.UNBOUNDED


@pytest.mark.parametrize("stated", [0, 4096, 131_072])
@pytest.mark.parametrize(
    "failure", [too_long(), too_long(255), Failure(FailureKind.CONTEXT_LENGTH_EXCEEDED, too_large=True)]
)
def test_without_a_number_nothing_is_learned(stated: int, failure: Failure) -> None:
    """Of this request only targets that take more than it are tried still; its bytes say nothing of any window."""
    windows, place, head = Windows(), target("b", stated), ask(3000)
    limit = windows.failed(place, head, failure, 0.0)
    if failure.too_large:
        assert limit == 0
    else:
        assert 0 < limit < windows.tokens(place, head) + 1024
    assert windows.window(place) == stated
    assert windows.narrowest == context.UNBOUNDED


def test_a_learned_window_is_proved_wrong_by_an_answer() -> None:
    """A target that answered a longer prompt takes it; one that fits says nothing."""
    windows, place = Windows(), target("a", 32_768)
    windows.failed(place, ask(3000), too_long(512), 0.0)
    windows.observed(place, ask(3000), 512)
    assert windows.window(place) == 512
    windows.observed(place, ask(3000), 513)
    assert windows.window(place) == 32_768
    assert windows.narrowest == context.UNBOUNDED


def test_a_learned_window_ages() -> None:
    """After ten minutes the target is asked again, and what it tells then holds."""
    windows, place = Windows(), target("a", 32_768)
    windows.failed(place, ask(3000), too_long(512), 1.0)
    windows.failed(place, ask(3000), too_long(2048), 2.0)
    windows.age(601.0)
    assert windows.window(place) == 2048
    windows.age(602.0)
    assert windows.window(place) == 32_768
    assert windows.narrowest == context.UNBOUNDED


def test_after_a_refusal_only_larger_ones_are_tried() -> None:
    """Or those that nobody knows."""
    a, b, c = target("a", 8192), target("b", 32_768), target("c")
    assert larger((a, b, c), 8192, Windows()) == (b, c)
    assert larger((a, b, c), 0, Windows()) == (a, b, c)
    windows = Windows()
    windows.failed(c, ask(3000), too_long(4096), 0.0)
    assert larger((a, b, c), 8192, windows) == (b,)


def test_a_picture_is_no_text() -> None:
    """A megabyte of picture fits where a megabyte of text would not."""
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": [url]}]}).encode()
    head = chat.read_head(body)
    assert Windows().fits(target("a", 8192), head) is Fit.YES
    assert Windows().fits(target("o", 8192, "Ollama"), head) is Fit.YES
    assert Windows().fits(target("o", 4096, "Ollama"), head) is Fit.NO


TEXTS = st.lists(
    st.sampled_from(["word ", "Bandwurm", "12 345", "中文字", "{}[]();\n", "é", "😀", "    "]), max_size=2000
).map("".join)  # fmt: skip


def tokens_at_worst(text: str) -> int:
    """A poor tokenizer: a word piece of three letters, else a token for each sign, two for a far character."""
    letters = sum(c.isascii() and c.isalpha() for c in text)
    far = sum(not c.isascii() for c in text)
    return -(-letters // 3) + 2 * far + sum(c.isascii() and not c.isalpha() and c != " " for c in text)


@given(TEXTS, st.sampled_from([0, 2048, 8192]), st.sampled_from([0, 100, 2000]), st.floats(0.1, 0.5))
def test_ollama_is_never_sent_more_than_its_window(text: str, window: int, output: int, learned: float) -> None:
    """It would cut the prompt and say nothing. Whatever was learned before, nothing is in doubt."""
    windows, place, head = Windows(), target("o", window, "Ollama"), ask(1, output, 0, text)
    windows.observed(place, ask(3000), int(ask(3000).size * learned))
    fit = windows.fits(place, head)
    assert fit is not Fit.UNSURE
    assert not context.counts(place)
    if fit is Fit.YES:
        assert tokens_at_worst(text) + (output or 1024) <= (window or 4096)
    assert uncounted(order(place), windows, head) is None


WINDOWS = st.sampled_from([0, 300, 2048, 4096, 8192, 32_768])
KINDS = st.sampled_from(["VLLM", "Ollama", "LlamaCpp", "OpenAICompatible", "Anthropic"])


@given(
    st.lists(st.tuples(WINDOWS, KINDS), max_size=5), st.integers(0, 5), st.integers(0, 12_000), st.integers(0, 9000),
    st.lists(st.tuples(st.integers(0, 4), WINDOWS), max_size=3), st.lists(st.integers(0, 20_000), max_size=5),
)  # fmt: skip
def test_fitting_only_leaves_out(  # noqa: PLR0917
    rows: list[tuple[int, str]], limit: int, words: int, output: int, refused: list[tuple[int, int]], counts: list[int]
) -> None:
    """No target comes in; none is left out unless told; what was tried before the others still may be."""
    candidates = tuple(target(f"p{i}", window, kind) for i, (window, kind) in enumerate(rows))
    tried = Order(candidates, min(limit, len(candidates)), (), context.narrowest(candidates))
    windows, head = Windows(), ask(words, output)
    for i, window in refused:
        if i < len(candidates):
            windows.failed(candidates[i], head, too_long(window), 0.0)
    counted = dict(zip(candidates, counts, strict=False))
    asked = uncounted(tried, windows, head, counted)
    assert asked is None or (asked in candidates and asked not in counted)
    found, passed = fitting(tried, windows, head, counted)
    assert set(found.candidates) <= set(candidates)
    assert found.limit <= len(found.candidates)
    out = {candidate.provider.name for candidate in set(candidates) - set(found.candidates)}
    assert out <= {p.provider for p in passed}
    left = [windows.fits(candidate, head, counted.get(candidate)) for candidate in found.candidates]
    assert Fit.NO not in left or fits_all(tried, windows, head)  # a count of more tokens than bytes is not believed


def test_who_writes_less_than_is_allowed_comes_last() -> None:
    """Told with both numbers; what fits, or perhaps does, is tried before, and what cools after. Equal is enough."""
    brief, equal, unknown = target("brief", max_tokens=4096), target("equal", max_tokens=8192), target("unknown")
    found, passed = fitting(order(brief, unknown, equal), Windows(), ask(10, max_tokens=8192))
    assert (names(found), found.limit) == (["unknown", "equal", "brief"], 3)
    assert [(p.provider, p.reason) for p in passed] == [("brief", "max-tokens")]
    assert passed[0].message == "it writes 4096 tokens at most, and the request allows 8192"
    cooling = Order((brief, unknown), 2, (Passed("unknown", "m", "cooling-Timeout", ""),), context.UNBOUNDED, 4096)
    assert fitting(cooling, Windows(), ask(10, max_tokens=8192)) == (cooling, ())


def test_where_all_write_less_nothing_changes() -> None:
    """Their servers may cap it: they are tried as they stand, and nothing is told of them."""
    tried = order(target("a", max_tokens=100), target("b", max_tokens=10))
    assert fitting(tried, Windows(), ask(10, max_tokens=500)) == (tried, ())
    assert not fits_all(tried, Windows(), ask(10, max_tokens=11))
    assert fits_all(tried, Windows(), ask(10, max_tokens=10))
    assert fits_all(tried, Windows(), ask(10))


def test_the_one_to_be_tried_first_is_the_one_that_is_asked_to_count() -> None:
    """Not one that comes later because it writes less."""
    brief = target("brief", 8192, "VLLM", max_tokens=100)
    roomy = target("roomy", 8192, "VLLM", max_tokens=2048)
    assert uncounted(order(brief, roomy), Windows(), ask(4000, max_tokens=1000)) is roomy


@given(st.integers(0, 5000), st.integers(1, 5000), st.floats(0.1, 1.0))
def test_a_longer_prompt_never_fits_better(words: int, more: int, ratio: float) -> None:
    """Estimates grow with the request."""
    windows, place = Windows(), target("a", 8192)
    sample = ask(3000)
    windows.observed(place, sample, int(sample.size * ratio))
    rank = [Fit.YES, Fit.UNSURE, Fit.NO]
    assert rank.index(windows.fits(place, ask(words))) <= rank.index(windows.fits(place, ask(words + more)))


@given(st.text(max_size=400))
def test_fits_at_once_is_never_wrong(text: str) -> None:
    """What is taken without a look would be taken with one."""
    place, head = target("a", 2048), ask(1, 0, 0, text)
    assume(fits_all(order(place), Windows(), head))
    assert counting.prompt(head.fields).turns == 1
    assert head.size + 1024 <= 2048
