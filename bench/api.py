"""Requests per second of the API against a bare view, and how long writes take meanwhile.

Through gunicorn, the product and the bare view in the same processes, in turns within each round.
The callers are a therapist's token and an integration's key; each request is recognized, counted
and scoped as in production, only that its limit is never reached.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any, Final

from django.urls import NoReverseMatch, reverse

from automation.models import AutomationRule
from bench.events import record_one
from bench.figures import Figure, Target, compared, single
from bench.practice import KEY, NEXT, Practice, enrolled_patients, settle
from bench.serving import Answered, Ask, Server, server
from kura import tenancy
from kura.accounts.models import ApiToken, IntegrationKey
from kura.api.scopes import INTEGRATION

CLIENTS: Final = (1, 8)
ASKED: Final = 400  # requests of a kind in a round
WARM_UP: Final = 400  # requests: connections, caches, statements prepared in each thread
PEOPLE: Final = 200  # patients that are read about
FLOOD: Final = 20_000  # events
PACE: Final = 0.5  # seconds between two moves of one client: eight make 16 a second
TOLD: Final = "CUSTOM.bench"
READ: Final = Target(at_least=0.6)  # of the bare view's requests/s
MOVED: Final = Target(at_most=40)  # ms, 95 in 100 with eight clients
TAKEN: Final = Target(at_most=150)  # ms, 95 in 100 while the flood lasts

Asks = Callable[[int], list[Ask]]


def measure(practice: Practice, *, rounds: int) -> Iterator[Figure]:
    _listen(practice)
    kinds = _kinds(_Practised.of(practice))
    settle()
    with server() as running:
        for asks in kinds.values():
            running.ask(asks(WARM_UP), clients=max(CLIENTS))
        for clients in CLIENTS:
            yield from _figures(clients, _rounds(running, kinds, rounds, clients))
        yield from _paced(running, kinds["PATCH journey"], rounds)
        yield from _flood(running, kinds["POST event"])


def _rounds(
    running: Server, kinds: Mapping[str, Asks], rounds: int, clients: int
) -> dict[str, list[Answered]]:
    answered: dict[str, list[Answered]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, asks in kinds.items():
            answered[name].append(running.ask(asks(ASKED), clients=clients))
    return answered


def _figures(clients: int, answered: Mapping[str, list[Answered]]) -> Iterator[Figure]:
    who = f"{clients} client{'s' if clients > 1 else ''}"
    bare = answered["bare"]
    yield _p95(f"bare, {who}", bare, None)
    for name, ours in answered.items():
        if name == "bare":
            continue
        yield compared(
            f"{name}, {who}",
            unit="requests/s",
            service=[one.rate for one in ours],
            other=[one.rate for one in bare],
            against="bare",
            target=READ if name == "GET patient" else None,
        )
        yield _cpu(f"{name}, {who}, processor of the web server", ours, bare)
        yield _p95(f"{name}, {who}", ours, _target(name, clients))


def _target(name: str, clients: int) -> Target | None:
    return MOVED if name == "PATCH journey" and clients == max(CLIENTS) else None


def _cpu(name: str, ours: Sequence[Answered], bare: Sequence[Answered]) -> Figure:
    """The figure that neighbours on the machine disturb least."""
    return compared(
        name,
        unit="ms/request",
        service=[1000 * one.cpu / len(one.latencies) for one in ours],
        other=[1000 * one.cpu / len(one.latencies) for one in bare],
        against="bare",
        target=None,
    )


def _p95(name: str, answered: Sequence[Answered], target: Target | None) -> Figure:
    values = [1000 * one.p95 for one in answered]
    return single(f"{name}, p95", unit="ms", values=values, target=target)


def _paced(running: Server, moves: Asks, rounds: int) -> Iterator[Figure]:
    """As people move patients: more often than any practice does, and not without a pause."""
    who = max(CLIENTS)
    answered = [running.ask(moves(ASKED), clients=who, every=PACE) for _ in range(rounds)]
    yield _p95(f"PATCH journey, {who} clients, each one in {PACE} s", answered, MOVED)


def _flood(running: Server, posts: Asks) -> Iterator[Figure]:
    answered = running.ask(posts(FLOOD), clients=max(CLIENTS))
    name = f"{FLOOD:,} events posted, {max(CLIENTS)} clients"
    yield _p95(name, [answered], TAKEN)
    yield single(name, unit="events/s", values=[answered.rate], target=None)


# --- what is asked ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Practised:
    """The practice, with callers of both kinds, people, and an event of each of them."""

    practice: Practice
    token: Mapping[str, str]
    key: Mapping[str, str]
    people: Sequence[uuid.UUID]
    events: Sequence[uuid.UUID]

    @classmethod
    def of(cls, practice: Practice) -> _Practised:
        people = enrolled_patients(practice, PEOPLE)
        with tenancy.scope(practice.organization):
            events = [record_one(practice, patient_id) for patient_id in people]
        _token, token = ApiToken.objects.make(
            user=practice.therapist, name="bench", expires_at=None
        )
        _key, key = IntegrationKey.objects.create_key(
            organization=practice.organization, name="bench", scopes=sorted(INTEGRATION)
        )
        return cls(
            practice=practice, token=_said(token), key=_said(key), people=people, events=events
        )


def _said(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}", "Content-Type": "application/json"}


def _kinds(known: _Practised) -> dict[str, Asks]:
    """Those that this release serves; the bare view first."""
    kinds: dict[str, tuple[str, Asks]] = {
        "GET patient": ("api-patient", partial(_each, "api-patient", known.people, known.token)),
        "GET journeys": ("api-journeys", partial(_page, known.token)),
        "GET event": ("api-event", partial(_each, "api-event", known.events, known.key)),
        "PATCH journey": ("api-move", partial(_moves, known)),
        "POST event": ("api-events", partial(_posts, known)),
    }
    served = {name: asks for name, (url, asks) in kinds.items() if _is_served(url)}
    return {"bare": partial(_bare, known.people), **served}


def _is_served(url: str) -> bool:
    try:
        reverse(url, args=[uuid.UUID(int=0)])
    except NoReverseMatch:
        return _is_list(url)
    return True


def _is_list(url: str) -> bool:
    try:
        reverse(url)
    except NoReverseMatch:
        return False
    return True


def _bare(people: Sequence[uuid.UUID], count: int) -> list[Ask]:
    return [Ask(path=f"/bench/bare/{one}") for one in islice(cycle(people), count)]


def _each(url: str, ids: Sequence[uuid.UUID], caller: Mapping[str, str], count: int) -> list[Ask]:
    some = islice(cycle(ids), count)
    return [Ask(path=reverse(url, args=[one]), headers=caller) for one in some]


def _page(caller: Mapping[str, str], count: int) -> list[Ask]:
    return [Ask(path=reverse("api-journeys"), headers=caller)] * count


def _moves(known: _Practised, count: int) -> list[Ask]:
    """Each of a patient who was never moved before."""
    people = enrolled_patients(known.practice, count)
    body = _json({"journey_key": KEY, "to_stage": NEXT})
    return [
        Ask(method="PATCH", path=reverse("api-move", args=[one]), body=body, headers=known.token)
        for one in people
    ]


def _posts(known: _Practised, count: int) -> list[Ask]:
    path, people = reverse("api-events"), islice(cycle(known.people), count)
    return [Ask(method="POST", path=path, body=_event(one), headers=known.key) for one in people]


def _event(patient_id: uuid.UUID) -> bytes:
    return _json(
        {
            "id": str(uuid.uuid4()),
            "event_type": TOLD,
            "patient": {"id": str(patient_id)},
            "payload": {"amount_cents": 9_000, "currency": "EUR"},
        }
    )


def _json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said).encode()


def _listen(practice: Practice) -> None:
    """A rule listens, so that each event is queued and the bell rings; nothing drains the queue."""
    with tenancy.scope(practice.organization):
        AutomationRule.objects.create(
            organization=practice.organization,
            name="Bench API",
            trigger_event=TOLD,
            actions=[{"type": "update_journey_status", "params": {"key": KEY, "status": NEXT}}],
        )
