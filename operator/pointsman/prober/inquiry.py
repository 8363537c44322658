"""The second round of a probe: what a server tells of a model only when it is asked for that one.

It never decides whether a server is up. What was once told is kept by what the server tells the model's content by, so
that a model is asked about once, and again only when it is another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pointsman.modellist import MODELS
from pointsman.prober import wire
from pointsman.served import ServedModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from pointsman.prober.ask import ProbeRequest
    from pointsman.served import Answer, Finding, Inquiry, Question

AT_ONCE: Final = 4
A_PROBE: Final = 64  # questions; what is left over is asked at the next probe
BODY_LIMIT: Final = 1 << 20  # bytes; licences and lists of tensors come along, some 100 KiB
_NOTHING: Final = ServedModel("")


@dataclass
class Known:
    """State: what a provider told of its models, the latest 4096; which those were in its last list; what failed."""

    told: OrderedDict[str, ServedModel] = field(default_factory=OrderedDict)  # by Question.about
    abouts: dict[str, str] = field(default_factory=dict)  # by the model's id
    failed: frozenset[str] = frozenset()

    def listed(self, questions: Sequence[Question]) -> None:
        """The server's list has come; when it failed, the last one stays, as that is no news of a model."""
        if questions:
            self.abouts = {model: each.about for each in questions for model in each.models}

    def open(self, questions: Sequence[Question]) -> list[Question]:
        """What is to be asked now; what failed the last time comes last, so that it holds up no other."""
        unknown = [each for each in questions if each.about not in self.told]
        return sorted(unknown, key=lambda each: each.about in self.failed)[:A_PROBE]

    def learn(self, answers: Sequence[tuple[Question, Answer]], inquiry: Inquiry) -> None:
        """Keep what was told. A server that says that it tells nothing is not asked again; one that fails is."""
        self.failed = frozenset(each.about for each, answer in answers if _failed(answer))
        for each, answer in answers:
            if each.about not in self.failed:
                self.told[each.about] = inquiry.read(answer) or _NOTHING
        while len(self.told) > MODELS:
            self.told.popitem(last=False)

    def details(self) -> Mapping[str, ServedModel]:
        """What is known, by the model's id."""
        found = {model: self.told.get(about, _NOTHING) for model, about in self.abouts.items()}
        return {model: detail for model, detail in found.items() if detail != _NOTHING}


async def detailed(  # noqa: PLR0913, PLR0917 - what all steps of a probe have in common, and what earlier ones told
    client: httpx.AsyncClient,
    request: ProbeRequest,
    base_url: str,
    found: Finding,
    answers: Mapping[str, Answer],
    known: Known,
    deadline: float,
) -> Finding:
    """`found` with what is known of its models, after whatever is not known yet was asked for until `deadline`."""
    inquiry = request.kind.inquiry
    if inquiry is None or not found.ok:
        return found
    questions = inquiry.questions(answers)
    known.listed(questions)
    known.learn(await _asked(client, request, base_url, known.open(questions), deadline), inquiry)
    return inquiry.join(found, known.details())


async def _asked(
    client: httpx.AsyncClient, request: ProbeRequest, base_url: str, questions: Sequence[Question], deadline: float
) -> list[tuple[Question, Answer]]:
    """The questions for which there was time, with what came of them."""
    gate = asyncio.Semaphore(AT_ONCE)
    out: list[tuple[Question, Answer]] = []

    async def one(question: Question) -> None:
        async with gate:
            if asyncio.get_running_loop().time() < deadline:
                url = base_url + question.path
                out.append((question, await wire.post(client, request, url, deadline, question.body, BODY_LIMIT)))

    await asyncio.gather(*map(one, questions))
    return out


def _failed(answer: Answer) -> bool:
    return answer.status == 0 or answer.status >= 500 or answer.status in {401, 403, 408, 429}
