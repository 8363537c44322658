"""Asks a provider everything that `pointsman doctor` wants to know, one question after the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pointsman import dialects
from pointsman.fleet import questions, remedies, remedies_answers, remedies_streams
from pointsman.fleet.diagnosis import Asked, Check, Grade
from pointsman.fleet.questions import Speech
from pointsman.fleet.replies import stream, whole
from pointsman.names import Dialect, handed_on
from pointsman.prober import wire
from pointsman.prober.ask import Mode, ProbeRequest, ask
from pointsman.prober.completion import choose
from pointsman.served import ServedModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    import httpx

    from pointsman.fleet.diagnosis import Patient
    from pointsman.served import Finding

_SLOW: Final = 10.0  # seconds for a first answer of a few tokens, which a loaded model never takes
_OVERFLOW: Final = 32_768  # tokens; longer prompts take a small machine minutes
_WRONG: Final = "wrong-key-of-pointsman-doctor"
_CHAT_LIMITS: Final = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class Case:
    """A patient, how to reach it, and which of its models to ask for tokens (`wanted`); () with `tokens`: any one."""

    patient: Patient
    request: ProbeRequest
    known: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    tokens: bool = True
    timeout: float = 60.0
    hosted: bool = False  # also models that a server near by hands on to a cloud


@dataclass
class Examination:
    """State: what the server listed last."""

    client: httpx.AsyncClient
    case: Case
    found: Finding | None = field(default=None, init=False)

    async def checks(self) -> AsyncIterator[Check]:
        """Every check as it is made; what cannot be asked after an earlier failure is left out."""
        patient, found = self.case.patient, await self._list()
        yield remedies.reached(patient, found)
        yield remedies.posture(patient)
        if not found.ok:
            return
        for model in self.case.known:
            yield remedies.listed(patient, found, model)
            if weak := remedies.strength(patient, model):
                yield weak
        wanted = self._wanted(found)
        for model in (model for model in self.case.known if model not in wanted):
            yield remedies.window(patient, _served(found, model), model)
        if not wanted:
            why = "no tokens are asked for: it is External, and they cost (--hosted asks)"
            why = why if not self.case.tokens else "there is no model to ask"
            if self.case.tokens and (remote := [each for each in self._asked_of(found) if self._remote(found, each)]):
                why = f"no tokens are asked for: {remote[0]} is in Ollama's cloud, and they cost (--hosted asks)"
            yield Check("answers", Grade.NOTE, why)
        for model in wanted:
            async for check in self._model(model):
                yield check

    def _wanted(self, found: Finding) -> list[str]:
        if not self.case.tokens:
            return []
        asked = (model for model in self._asked_of(found) if self._may_ask(found, model))
        return [model for model in asked if self.case.hosted or not self._remote(found, model)]

    def _asked_of(self, found: Finding) -> tuple[str, ...]:
        return self.case.wanted or self._any(found)

    def _remote(self, found: Finding, model: str) -> bool:
        """Whether the server hands the model's requests on to a cloud."""
        served = _served(found, model)
        return handed_on(self.case.patient.type, model) or (served is not None and served.remote)

    async def _list(self) -> Finding:
        self.found = await ask(self.client, replace(self.case.request, mode=Mode.MODELS))
        return self.found

    def _any(self, found: Finding) -> tuple[str, ...]:
        # A model that is loaded, else the first: a server without a list of ours is still to be tried.
        near = [each for each in found.models if not each.remote]
        first = choose(found.models, (), self.case.request.kind) or next((each.id for each in near or found.models), "")
        return (first,) if first else ()

    def _may_ask(self, found: Finding, model: str) -> bool:
        # Where nothing is stated of it and it is not there either, an answer would be another model's.
        return bool(model in self.case.patient.models or _served(found, model) or not found.models)

    async def _model(self, model: str) -> AsyncIterator[Check]:
        patient, before = self.case.patient, _served(self.found, model)
        answers, speeches = await self._spoken(model)
        yield remedies_answers.spoken(patient, model, answers)
        found = await self._list()
        yield remedies.window(patient, _served(found, model), model)
        if not speeches:
            return
        home = speeches[0]
        yield remedies.loaded(patient, before or ServedModel(model), answers[home.dialect], slow=_SLOW)
        others = [each.id for each in found.models if each.id != model]
        reply = whole(home.dialect, answers[home.dialect].answer)
        if reply and (other := remedies_answers.substituted(model, reply, others)):
            yield other
        yield remedies.key(patient, await self._post(home.dialect, questions.tiny(home), token=_WRONG))
        spoken = frozenset(dialect for dialect, asked in answers.items() if whole(dialect, asked.answer))
        async for check in self._depth(speeches, spoken):
            yield check
            if check.grade in {Grade.BROKEN, Grade.WARNING} and (died := await self._died(home, check)):
                yield died
                return

    async def _depth(self, speeches: list[Speech], spoken: Collection[Dialect]) -> AsyncIterator[Check]:
        patient, home = self.case.patient, speeches[0]
        for speech in speeches:
            asked = await self._post(speech.dialect, questions.streamed(speech))
            came = stream(speech.dialect, asked.answer)
            for check in remedies_streams.streaming(patient, speech.model, speech.dialect, asked, came, spoken=spoken):
                yield check
        # What compat says of content, roles and limits is said of chat.
        chat = next((speech for speech in speeches if speech.dialect is Dialect.CHAT), None)
        asking = chat or home
        parts = await self._post(asking.dialect, questions.parts(asking))
        yield remedies_answers.content(patient, home.model, parts, asking.dialect)
        if chat:
            yield remedies_answers.developer(
                patient, home.model, await self._post(Dialect.CHAT, questions.developer(chat))
            )
            answers = {name: await self._limited(chat, name) for name in _CHAT_LIMITS}
            yield remedies_answers.limit(patient, home.model, answers)
        yield await self._tools(asking)
        served = _served(self.found, home.model)
        if served and 0 < (size := served.context_window) <= _OVERFLOW:
            long = await self._post(home.dialect, questions.long(home, size + size // 4))
            yield remedies_answers.overflow(patient, home, size, long)

    async def _spoken(self, model: str) -> tuple[dict[Dialect, Asked], list[Speech]]:
        """Answers in every dialect, and how those are asked that are spoken: of the stated ones, else of all."""
        # What is stated is asked first: it is the one that a cold start makes slow.
        answers: dict[Dialect, Asked] = {}
        spoken: list[Speech] = []
        for dialect in dict.fromkeys([*self.case.patient.api, *Dialect]):
            speech, answers[dialect] = await self._first(Speech(dialect, model))
            if whole(dialect, answers[dialect].answer):
                spoken.append(speech)
            elif answers[dialect].answer.error == "Timeout" and not spoken:
                break  # it hangs, and would in the others
        return answers, [speech for speech in spoken if speech.dialect in self.case.patient.api] or spoken

    async def _first(self, speech: Speech) -> tuple[Speech, Asked]:
        asked = await self._post(speech.dialect, questions.tiny(speech))
        if speech.dialect is not Dialect.CHAT or asked.answer.status != 400:
            return speech, asked
        other = replace(speech, limit=_CHAT_LIMITS[1])
        again = await self._post(other.dialect, questions.tiny(other))
        return (other, again) if whole(other.dialect, again.answer) else (speech, asked)

    async def _limited(self, speech: Speech, name: str) -> Asked:
        return await self._post(speech.dialect, questions.limited(replace(speech, limit=name)))

    async def _tools(self, speech: Speech) -> Check:
        patient, model = self.case.patient, speech.model
        if patient.compat(model, "supportsTools") is False:
            return Check("tools", Grade.NOTE, "not asked: compat.supportsTools is false", model=model)
        many = await self._post(speech.dialect, questions.with_tools(speech))
        one = None
        if not whole(speech.dialect, many.answer):
            one = await self._post(speech.dialect, questions.with_tools(speech, 1))
        return remedies_answers.tools(patient, model, speech.dialect, many, one)

    async def _died(self, speech: Speech, check: Check) -> Check | None:
        """Whether the server is gone since it was asked for what `check` is about."""
        found = await self._list()
        if found.ok or found.reason == "RateLimited":
            return None
        text = f"the server went down when it was asked for {check.name}: {found.message}"
        mend = "start it again, do what is said above, and update it: this is a fault of the server's own"
        return Check("alive", Grade.BROKEN, text, mend, speech.model)

    async def _post(self, dialect: Dialect, body: bytes, token: str = "") -> Asked:
        asked = await self._send(dialect, body, token)
        # Asked again before it is believed: one connection that was cut says nothing of what was asked on it.
        return await self._send(dialect, body, token) if asked.answer.error == "ConnectionReset" else asked

    async def _send(self, dialect: Dialect, body: bytes, token: str) -> Asked:
        clock = asyncio.get_running_loop().time
        request = replace(self.case.request, token=token) if token else self.case.request
        begun = clock()
        url = self.case.patient.url + dialects.ALL[dialect].PATH
        answer = await wire.post(self.client, request, url, begun + self.case.timeout, body)
        return Asked(answer, clock() - begun)


def _served(found: Finding | None, model: str) -> ServedModel | None:
    names = (model, f"{model}:latest")  # as Ollama lists one without a tag
    return next((each for each in found.models if each.id in names), None) if found else None
