"""Centro Sol: the second demo practice. Same journey keys, other people, nothing shared."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from journeys.vocabulary import ReasonCode
from kura.accounts.models import Language
from kura.accounts.roles import MANAGER
from kura.demo.archetypes import AWAKENING, CHART, INTAKE, RETREAT, YOGA
from kura.demo.people import Colleague, Person, Practice
from kura.demo.stories import (
    IMPORT,
    began,
    blocked,
    booking_cancelled,
    explained,
    gave_up,
    reached,
)

ANA: Final = "ana"

PEOPLE: Final = (
    Person(
        name="Gabriel Ordóñez",
        therapist=ANA,
        stories=(
            reached(
                RETREAT,
                "SCREENING_COMPLETED",
                blocked("BLOCKED_HIGH_RISK", medication_active=True, medication="tramadol"),
                days=2,
            ),
        ),
    ),
    Person(
        name="Mireia Batlle",
        therapist=ANA,
        stories=(reached(RETREAT, "AWAITING_PAYMENT", days=3.5),),
    ),
    Person(
        name="Isabel Yáñez",
        therapist=ANA,
        stories=(
            reached(INTAKE, "COMPLETED", by=IMPORT, days=140),
            reached(RETREAT, "CONFIRMED", days=7),
        ),
    ),
    # The same person is a patient of Clínica Om: two practices, two files.
    Person(
        name="Marta Soler",
        therapist=ANA,
        stories=(reached(YOGA, "CONFIRMED", days=25),),
    ),
    Person(
        name="Lluís Ferrándiz",
        therapist=ANA,
        stories=(reached(RETREAT, "COMPLETED", days=92),),
    ),
    Person(
        name="Ainhoa Lekue",
        therapist=ANA,
        stories=(reached(YOGA, "AWAITING_WAIVER", days=2.5),),
    ),
    Person(
        name="Simón Becerra",
        therapist=ANA,
        stories=(reached(YOGA, "COMPLETED", days=30), reached(YOGA, "CONFIRMED", days=12)),
    ),
    Person(
        name="Rosalía Nieto",
        therapist=ANA,
        stories=(reached(YOGA, "ENROLLED", hours=6),),
    ),
    Person(
        name="Eduardo Zúñiga",
        email="",
        stories=(reached(INTAKE, "AWAITING_PAYMENT", days=8),),
    ),
    Person(
        name="Catalina Briceño",
        therapist=ANA,
        stories=(
            reached(INTAKE, "SCREENING_COMPLETED", blocked("BLOCKED", risk="UNKNOWN"), days=0.4),
        ),
    ),
    Person(
        name="Hannah Becker",
        therapist=ANA,
        language=Language.ENGLISH,
        timezone="Europe/Berlin",
        stories=(reached(INTAKE, "CONFIRMED", days=1),),
    ),
    Person(
        name="Ernesto Villalba",
        therapist=ANA,
        stories=(
            reached(
                INTAKE,
                "SCREENING_COMPLETED",
                blocked("BLOCKED", risk="UNKNOWN"),
                explained(
                    "SCREENING_PENDING",
                    ReasonCode.CORRECTION,
                    "Rellenó el cuestionario de otra persona; lo repite.",
                ),
                days=1,
            ),
        ),
    ),
    Person(
        name="Jimena Sandoval",
        therapist=ANA,
        stories=(reached(AWAKENING, "DEEP_DIVE", days=19),),
    ),
    Person(
        name="Marcos Olmedo",
        therapist=ANA,
        stories=(reached(AWAKENING, "INTEGRATION", days=5),),
    ),
    Person(
        name="Yolanda Prats",
        therapist=ANA,
        stories=(began(AWAKENING, "WAITLIST", days=6),),
    ),
    # The chart is no longer offered here: who is in it goes on.
    Person(
        name="Álvaro Úbeda",
        therapist=ANA,
        stories=(reached(CHART, "COMPLETED", days=110),),
    ),
    Person(
        name="Noelia Trujillo",
        therapist=ANA,
        stories=(reached(CHART, "READING_BOOKED", days=4),),
    ),
    Person(
        name="Ignacio Bermúdez",
        therapist=ANA,
        stories=(
            reached(RETREAT, "AWAITING_PAYMENT", booking_cancelled(), days=58),
            reached(AWAKENING, "ONBOARDING", gave_up("Prefiere sesiones sueltas."), days=20),
        ),
    ),
    Person(name="Luz Marina Espejo", email="", registered_days=33),
    Person(name="William Hartley", language=Language.ENGLISH, therapist=ANA, registered_days=2),
)

CENTRO_SOL: Final = Practice(
    slug="centro-sol",
    name="Centro Sol",
    timezone="Atlantic/Canary",
    prefix="sol",
    colleagues=(Colleague(email="ana@centro-sol.example", name="Ana Medina", role=MANAGER),),
    journeys=(RETREAT, CHART, AWAKENING, replace(YOGA, name="Yoga Centro Sol"), INTAKE),
    ended=frozenset({CHART.key}),
    people=PEOPLE,
)
