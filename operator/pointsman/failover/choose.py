"""Which targets a request may go to, in which order, and why the others are passed over.

Three steps, so that nothing can bring a target back that the fence has taken out: `survey` walks the chain once, fence
first, and what it passes over is gone; `order` sorts what is left, by health; `fitting` leaves out of it what is too
small for the request.

    the fence            location and region, narrowed by the request's own header
    then what is fixed   skip (decided when the table was made), suspended, no credential, dialect, capabilities, window
                         or, of what is no dialect (`services`), that it is another model than the primary
    then the order       as written; then what was down until lately, if the policy says so; then cold models; then
                         providers whose probes fail; last what is cooling, the least bad first
    then the size        what cannot hold the request is left out; what perhaps cannot, or writes less than the request
                         allows, is tried after the others
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

import msgspec

from pointsman.dialects import compat, openrouter, services
from pointsman.dialects.services import Service
from pointsman.exchange import STATE, BadRequestError, FailureKind
from pointsman.failover import capability, context
from pointsman.failover.context import Fit
from pointsman.failover.fence import FENCE, outside
from pointsman.failover.pace import LOAD
from pointsman.names import Dialect, Location, ProviderType, handed_on
from pointsman.table import Fence, Model, Provider, Route

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pointsman.exchange import Head
    from pointsman.failover.context import Windows
    from pointsman.failover.health import Health
    from pointsman.failover.pace import Pace


CONTEXT: Final = "context"
"""The reason of targets that are too small for the request, or perhaps are and come last."""

MAX_TOKENS: Final = "max-tokens"
"""The reason of targets that write less than the request allows; they come last, as their servers may cap it."""

_LOCAL_ONLY: Final = (Location.IN_CLUSTER.value, Location.ON_PREMISES.value)
_TERM: Final = re.compile(r"(locations|regions)=([\w.,\- ]+)")
_DIALECTS: Final = frozenset(Dialect)
_TERMS: Final = "'local-only', 'locations=A,B', 'regions=C,D'"
_HOPELESS: Final = frozenset({FailureKind.AUTHENTICATION, FailureKind.RATE_LIMITED, FailureKind.MODEL_NOT_FOUND})


class Candidate(msgspec.Struct, frozen=True, eq=False):
    """A target that may be tried. Two are the same only if they are one object, so that it can be a cheap key."""

    provider: Provider
    model: Model
    down: bool = False  # its probes fail
    cold: bool = False  # its model must be loaded first, which takes longer than a client is let wait
    dialect: Dialect = Dialect.CHAT  # in which it is asked
    others: tuple[Dialect, ...] = ()  # in which it could be asked as well
    translated: bool = False  # that is not the client's


_UNCOUNTED: Final[Mapping[Candidate, int]] = {}


class Passed(msgspec.Struct, frozen=True, gc=False):
    """A target that is not tried: `reason` is a word, `message` for people; `window` in tokens, of one too small."""

    provider: str
    model: str
    reason: str
    message: str
    window: int = 0


class Need(msgspec.Struct, frozen=True, gc=False):
    """What a request asks of a target. `fence` is the request's own, which can only narrow the route's."""

    dialect: Dialect | Service
    needs: int = 0  # bits of exchange's constants
    fence: Fence | None = None


class Order(msgspec.Struct, frozen=True):
    """The candidates, first to be tried first, of which at most `limit` are; those cooling are told in `cooling`.

    A request of up to `narrowest` bytes and tokens of answer together fits into all of them, as far as the table knows,
    and an answer of up to `most` tokens is one that all of them write.
    """

    candidates: tuple[Candidate, ...]
    limit: int
    cooling: tuple[Passed, ...] = ()
    narrowest: int = context.UNBOUNDED
    most: int = context.UNBOUNDED


class Chain(msgspec.Struct, frozen=True):
    """A route's targets for one kind of request. `fences` are those in force, to be named in a refusal."""

    candidates: tuple[Candidate, ...]
    passed: tuple[Passed, ...]
    fences: tuple[Fence, ...]
    at_best: Order  # when nothing cools
    return_after: float = 0.0  # seconds for which what was down must be well before it comes first again
    cold: tuple[Candidate, ...] = ()  # what a warm one stands in for until it is loaded
    translates: bool = False  # to one of them at least

    @property
    def fenced_in(self) -> bool:
        """Whether it is the fence that leaves nothing to try."""
        return not self.candidates and any(passed.reason == FENCE for passed in self.passed)


def read_fence(header: str) -> Fence:
    """The request's own fence: `local-only`, or `locations=A,B; regions=C`. BadRequestError: anything else.

    What cannot be understood is refused: a policy that was meant to hold must not silently not hold.
    """
    parts = [part.strip() for part in header.split(";") if part.strip()]
    found: dict[str, tuple[str, ...]] = {}
    for part in parts:
        term = _TERM.fullmatch(part)
        if part == "local-only":
            found["locations"] = _LOCAL_ONLY
        elif term is not None:
            found[term[1]] = tuple(sorted({value.strip() for value in term[2].split(",") if value.strip()}))
        else:
            raise BadRequestError(f"x-pointsman-data-policy: {part!r} is not one of {_TERMS}")
    if not found or not all(found.values()):
        raise BadRequestError(f"x-pointsman-data-policy: nothing in it; say one of {_TERMS}")
    return Fence(found.get("locations", ()), found.get("regions", ()))


def survey(
    route: Route, providers: Mapping[str, Provider], need: Need, keyless: Collection[str] = (), pace: Pace | None = None
) -> Chain:
    """The route's chain for such requests. `keyless` are providers whose credential is not there.

    `pace` knows how long cold models take: one that is loaded soon enough is waited for, for others the warm stand in.
    """
    fences = (route.policy.fence,) if need.fence is None else (route.policy.fence, need.fence)
    candidates: list[Candidate] = []
    passed: list[Passed] = []
    for i, target in enumerate(route.targets):
        provider = providers[target.provider]
        model = _known(provider, target.model)
        spoken = _spoken(provider, model, need.dialect)
        objection = (
            outside(provider, model, spoken, fences)
            or (("skip", target.skip) if target.skip else None)
            or _unusable(provider, spoken, keyless)
            or _unfit(provider, model, need, route, i)
        )
        if objection:
            passed.append(Passed(provider.name, target.model, *objection))
        else:
            slow = _cold(provider, model, route, pace)
            down = provider.state == "Down"
            candidates.append(
                Candidate(provider, model, down, slow, spoken[0], spoken[1:], spoken[0] is not need.dialect)
            )
    at_best = sorted(candidates, key=_standing)  # stable: else as written
    first = Order(tuple(at_best), len(at_best), (), context.narrowest(at_best), context.most(at_best))
    cold = _stood_in_for(candidates)
    after, translates = route.policy.return_after, any(candidate.translated for candidate in candidates)
    return Chain(tuple(candidates), tuple(passed), fences, first, after, cold, translates)


def _known(provider: Provider, name: str) -> Model:
    """What is known of a model. Its name may tell of a cloud where no list does: it was never read, or lately made."""
    model = provider.find(name) or Model(id=name)
    return msgspec.structs.replace(model, remote=True, loaded=None) if handed_on(provider.type, name) else model


def _unfit(provider: Provider, model: Model, need: Need, route: Route, i: int) -> tuple[str, str] | None:
    if isinstance(need.dialect, Service):
        if compat.vercel(model):
            return services.NO_SERVICE, "its compat.vercelGatewayRouting holds in chat alone"
        # What a route asks of models that write, such as tools and windows, is nothing to one that embeds.
        return services.unfit(provider, model.id, route.targets[0].model, need.dialect)
    if need.needs & STATE and not provider.native:
        return "state", "only the vendor itself keeps conversations, stored prompts and work in the background"
    return capability.lacking(model, provider, need.needs, route.policy) or _blocked(route, i, model)


def _spoken(provider: Provider, model: Model, asked: Dialect | Service) -> tuple[Dialect, ...]:
    """The dialects in which a target can be asked, best first: the client's own if it speaks that."""
    if isinstance(asked, Service):
        return (cast("Dialect", asked),)  # as good as one from here on: it is never translated
    speaks = [Dialect(name) for name in provider.api if name in _DIALECTS]
    if openrouter.pins(model, provider):
        # Its documentation tells of the pin in these two.
        speaks = [dialect for dialect in speaks if dialect is not Dialect.MESSAGES] or speaks
    elif compat.vercel(model):
        speaks = [dialect for dialect in speaks if dialect is Dialect.CHAT]  # where it is put in
    return (asked,) if asked in speaks else tuple(speaks)


def _standing(candidate: Candidate) -> tuple[bool, bool]:
    return candidate.down, candidate.cold


def _cold(provider: Provider, model: Model, route: Route, pace: Pace | None) -> bool:
    eta = pace.eta(provider.name, model.id) if pace is not None else LOAD
    return model.loaded is False and eta > route.policy.timeouts.first_token


def _stood_in_for(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The cold ones that a warm one stands in for."""
    if not any(not candidate.down and not candidate.cold for candidate in candidates):
        return ()
    return tuple(candidate for candidate in candidates if candidate.cold and not candidate.down)


def minds_media(chain: Chain) -> bool:
    """Whether it makes a difference what media such a request has in it: only then are its turns read for that."""
    return any(
        capability.minds(candidate.model) or candidate.provider.type == ProviderType.OLLAMA
        for candidate in chain.candidates
    )


def order(chain: Chain, health: Health, now: float) -> Order:
    """All of the chain's candidates, best first.

    What cools comes last, and of it only the least bad may be tried, as a last resort: an outage of everything must
    not send every request to every target.
    """
    if not health.entries and not (chain.return_after and health.recoveries):
        return chain.at_best
    ready: list[Candidate] = []
    returning: list[Candidate] = []
    cooling: list[tuple[bool, float, Candidate, FailureKind]] = []
    for candidate in chain.at_best.candidates:
        name, model = candidate.provider.name, candidate.model.id
        cause = health.cooling(name, model, now)
        if cause is not None:
            cooling.append((cause in _HOPELESS, health.until(name, model), candidate, cause))
        elif chain.return_after and health.returning(name, model, now, chain.return_after):
            returning.append(candidate)
        else:
            ready.append(candidate)
    if not cooling and not returning:
        return chain.at_best
    ready = sorted(ready + returning, key=_standing)
    cooling.sort(key=lambda entry: entry[:2])
    last = tuple(entry[2] for entry in cooling)
    told = tuple(
        Passed(place.provider.name, place.model.id, f"cooling-{cause}", f"for {max(until - now, 0.0):.1f} s more")
        for _, until, place, cause in cooling
    )
    best = chain.at_best
    return Order((*ready, *last), len(ready) + bool(last), told, best.narrowest, best.most)


def fitting(
    order: Order, windows: Windows, head: Head, counted: Mapping[Candidate, int] = _UNCOUNTED
) -> tuple[Order, tuple[Passed, ...]]:
    """The order without those that the request does not fit into, which are told.

    Those into which it perhaps does not fit come after the others that are well, and are told too: none is given up
    on a guess. After them come those that write less than it allows. `counted`: tokens of the prompt as the servers say
    that were asked, 0 for one that could not tell.
    """
    if fits_all(order, windows, head):
        return order, ()
    well = order.limit - bool(order.cooling)
    sure: list[Candidate] = []
    doubtful: list[Candidate] = []
    brief: list[Candidate] = []
    cooling: list[Candidate] = []
    told: list[Passed] = []
    for i, candidate in enumerate(order.candidates):
        fit, tokens, room = windows.look(candidate, head, counted.get(candidate))
        doubt = fit is Fit.UNSURE and tokens > room
        if fit is Fit.NO or doubt:
            known = f"{tokens}" if counted.get(candidate) else f"about {round(tokens, -2) or tokens}"
            told.append(_too_long(candidate, known, windows.window(candidate), head))
        if fit is not Fit.NO:
            short = _brief(candidate, head)
            (cooling if i >= well else brief if short else doubtful if doubt else sure).append(candidate)
    if sure or doubtful:
        told += [_too_brief(candidate, head) for candidate in brief if not _told(told, candidate)]
    if not told:
        return order, ()
    left = tuple(passed for passed in order.cooling if any(_is(passed, each) for each in cooling))
    limit = len(sure) + len(doubtful) + len(brief) + bool(cooling)
    found = (*sure, *doubtful, *brief, *cooling)
    return msgspec.structs.replace(order, candidates=found, limit=limit, cooling=left), tuple(told)


def instead(order: Order, found: Mapping[Candidate, Candidate | None]) -> Order:
    """The order with others in the place of some, or without them: those to which the request cannot be said."""
    well = order.limit - bool(order.cooling)
    ready = _replaced(order.candidates[:well], found)
    last = _replaced(order.candidates[well:], found)
    left = tuple(passed for passed in order.cooling if any(_is(passed, each) for each in last))
    limit = len(ready) + bool(last)
    return msgspec.structs.replace(order, candidates=(*ready, *last), limit=limit, cooling=left)


def _replaced(candidates: Sequence[Candidate], found: Mapping[Candidate, Candidate | None]) -> tuple[Candidate, ...]:
    places = (found.get(candidate, candidate) for candidate in candidates)
    return tuple(place for place in places if place is not None)


def uncounted(
    order: Order, windows: Windows, head: Head, counted: Mapping[Candidate, int] = _UNCOUNTED
) -> Candidate | None:
    """The first to be tried, if its server is to be asked first how many tokens the prompt has; None: no need to."""
    if not order.candidates or fits_all(order, windows, head):
        return None
    well = order.limit - bool(order.cooling)
    ready = sorted(order.candidates[:well], key=lambda candidate: _brief(candidate, head))
    for candidate in (*ready, *order.candidates[well : order.limit]):
        known = counted.get(candidate)
        fit = windows.fits(candidate, head, known)
        if fit is not Fit.NO:
            return candidate if fit is Fit.UNSURE and known is None and context.counts(candidate) else None
    return None


def larger(candidates: Sequence[Candidate], failed_window: int, windows: Windows) -> tuple[Candidate, ...]:
    """Those that may take what was too long for a window of so many tokens: larger ones, and those not known.

    `failed_window` 0: it is not known, and all may.
    """
    if not failed_window:
        return tuple(candidates)
    known = [(candidate, windows.window(candidate)) for candidate in candidates]
    return tuple(candidate for candidate, window in known if not window or window > failed_window)


def _blocked(route: Route, i: int, model: Model) -> tuple[str, str] | None:
    policy, window = route.policy.context, model.context_window
    if not 0 < window < policy.block_below or (i and policy.on_fallback != "Skip"):
        return None
    return "context-blocked", f"its window of {window} tokens is under policy.context.blockBelow ({policy.block_below})"


def fits_all(order: Order, windows: Windows, head: Head) -> bool:
    """Whether the request fits into all of them for certain, and its answer too, without a look at each."""
    size = head.size + (head.max_tokens or context.ANSWER)
    return (
        size <= order.narrowest
        and size <= windows.narrowest
        and head.max_tokens <= order.most
        and not head.needs & context.MEDIA
    )


def _too_long(candidate: Candidate, tokens: str, window: int, head: Head) -> Passed:
    answer = context.answer(candidate.model, head)
    message = f"{tokens} tokens and {answer} for the answer; its window is {window}"
    return Passed(candidate.provider.name, candidate.model.id, CONTEXT, message, window)


def _brief(candidate: Candidate, head: Head) -> bool:
    return 0 < candidate.model.max_tokens < head.max_tokens


def _too_brief(candidate: Candidate, head: Head) -> Passed:
    model = candidate.model
    message = f"it writes {model.max_tokens} tokens at most, and the request allows {head.max_tokens}"
    return Passed(candidate.provider.name, model.id, MAX_TOKENS, message)


def _told(told: Sequence[Passed], candidate: Candidate) -> bool:
    return any(_is(passed, candidate) for passed in told)


def _is(passed: Passed, candidate: Candidate) -> bool:
    return passed.provider == candidate.provider.name and passed.model == candidate.model.id


def _unusable(provider: Provider, spoken: tuple[Dialect, ...], keyless: Collection[str]) -> tuple[str, str] | None:
    if provider.suspended:
        return "suspended", "the provider is suspended"
    if provider.name in keyless:
        return "credential", f"no usable file {provider.credential!r} in the credentials folder"
    if not spoken:
        return "dialect", f"speaks {', '.join(provider.api)}, which this release does not"
    return None
