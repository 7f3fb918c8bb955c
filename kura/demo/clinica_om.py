"""Clínica Om: the first demo practice, sixty-four patients and what became of them.

One entry a person; the first twelve are those of the design's pictures.
"""

from __future__ import annotations

from typing import Final

from journeys.vocabulary import ReasonCode
from kura.accounts.models import Language
from kura.accounts.roles import MANAGER, THERAPIST, VIEWER
from kura.demo.archetypes import ARCHETYPES, AWAKENING, CHART, INTAKE, RETREAT, YOGA
from kura.demo.people import Colleague, Person, Practice
from kura.demo.stories import (
    IMPORT,
    began,
    blocked,
    booking_cancelled,
    by_the_rules,
    explained,
    gave_up,
    moved,
    payment_failed,
    reached,
)

LAURA: Final = "laura"
JON: Final = "jon"
ENGLISH: Final = Language.ENGLISH
LONDON: Final = "Europe/London"

PEOPLE: Final = (
    # --- in the pictures
    Person(
        name="Marta Soler",
        therapist=LAURA,
        stories=(
            reached(INTAKE, "COMPLETED", days=6),
            by_the_rules(
                reached(
                    RETREAT,
                    "SCREENING_COMPLETED",
                    blocked(
                        "BLOCKED_HIGH_RISK",
                        medication_active=True,
                        medication="sertralina",
                        cardiac_history=False,
                    ),
                    opening="Interesada en la salida de mayo. Pide plaza doble.",
                    hours=0.1,
                )
            ),
            reached(YOGA, "AWAITING_WAIVER", hours=30),
        ),
    ),
    Person(
        name="Pau Riera",
        therapist=LAURA,
        stories=(
            reached(
                RETREAT,
                "SCREENING_COMPLETED",
                blocked("BLOCKED_HIGH_RISK", medication_active=True, medication="litio"),
                hours=26,
            ),
        ),
    ),
    Person(
        name="Carmen Ruiz",
        therapist=JON,
        stories=(
            reached(INTAKE, "SCREENING_COMPLETED", blocked("BLOCKED", risk="UNKNOWN"), hours=74),
        ),
    ),
    Person(
        name="Iñaki Etxeberria",
        therapist=LAURA,
        email="inaki.e@example.org",
        stories=(
            reached(INTAKE, "COMPLETED", days=48),
            reached(RETREAT, "AWAITING_PAYMENT", hours=74),
        ),
    ),
    Person(
        name="Lucía Ferrer",
        therapist=JON,
        stories=(reached(AWAKENING, "DEEP_DIVE", days=17),),
    ),
    Person(
        name="Noa Benítez",
        therapist=JON,
        stories=(reached(YOGA, "AWAITING_WAIVER", hours=30),),
    ),
    Person(
        name="Andrés Molina",
        therapist=LAURA,
        email="andres.m@example.org",
        stories=(
            reached(INTAKE, "COMPLETED", days=40),
            by_the_rules(reached(RETREAT, "PREPARATION_PHASE", hours=0.5)),
        ),
    ),
    Person(
        name="Elena Vargas",
        therapist=JON,
        stories=(reached(CHART, "AWAITING_BIRTH_DATA", hours=9),),
    ),
    Person(
        name="Hugo Prieto",
        therapist=LAURA,
        stories=(
            reached(YOGA, "CONFIRMED", days=33),
            reached(AWAKENING, "DEEP_DIVE", days=4),
        ),
    ),
    Person(
        name="Sara Quintana",
        therapist=LAURA,
        email="sara.q@example.org",
        stories=(
            reached(INTAKE, "SCREENING_PENDING", opening="Viene recomendada por Andrés.", hours=15),
        ),
    ),
    Person(
        name="Olga Serra",
        therapist=JON,
        stories=(reached(RETREAT, "AWAITING_PAYMENT", booking_cancelled(), days=6),),
    ),
    Person(
        name="Ana Costa",
        therapist=LAURA,
        stories=(
            reached(
                RETREAT,
                "SCREENING_COMPLETED",
                blocked("BLOCKED_HIGH_RISK", cardiac_history=True),
                explained(
                    "SCREENING_PENDING",
                    ReasonCode.FALSE_ALARM,
                    "Marcó la casilla de corazón por error; repite el cuestionario.",
                ),
                hours=80,
            ),
        ),
    ),
    # --- the retreat
    Person(
        name="Íñigo Álvarez",
        therapist=JON,
        stories=(
            reached(INTAKE, "COMPLETED", days=160),
            reached(RETREAT, "COMPLETED", days=88),
            reached(YOGA, "CONFIRMED", days=21),
        ),
    ),
    Person(
        name="María José Ñuñez",
        therapist=LAURA,
        stories=(reached(RETREAT, "COMPLETED", days=88.2),),
    ),
    Person(
        name="Begoña Zapata",
        therapist=LAURA,
        stories=(
            reached(RETREAT, "PREPARATION_PHASE", gave_up("Lesión de rodilla."), days=120),
            reached(
                RETREAT,
                "CONFIRMED",
                opening="Repite: la rodilla está curada y tiene el alta médica.",
                days=9,
            ),
        ),
    ),
    Person(
        name="Óscar Ibáñez",
        therapist=JON,
        stories=(reached(RETREAT, "CONFIRMED", days=5),),
    ),
    Person(
        name="Úrsula Peña",
        therapist=LAURA,
        stories=(
            reached(
                RETREAT,
                "SCREENING_COMPLETED",
                blocked("BLOCKED_HIGH_RISK", medication_active=True, medication="fluoxetina"),
                explained(
                    "AWAITING_PAYMENT",
                    ReasonCode.PLAN_CHANGED,
                    "Retirada supervisada por su psiquiatra, informe recibido. Sesión adaptada.",
                    by=LAURA,
                    hours=300,
                ),
                days=1,
            ),
        ),
    ),
    Person(
        name="Ramón Aguilar",
        therapist=JON,
        stories=(
            reached(
                RETREAT,
                "SCREENING_COMPLETED",
                blocked("BLOCKED_HIGH_RISK", cardiac_history=True),
                explained(
                    "CANCELLED",
                    ReasonCode.REFERRED,
                    "Antecedente cardiaco confirmado. Derivado a su cardióloga.",
                ),
                days=72,
            ),
        ),
    ),
    Person(
        name="Nuria Casals",
        therapist=LAURA,
        stories=(reached(RETREAT, "PREPARATION_PHASE", days=2),),
    ),
    Person(
        name="Joaquín Muñoz",
        therapist=JON,
        stories=(reached(RETREAT, "PREPARATION_PHASE", days=12),),
    ),
    Person(
        name="Emily Carter",
        therapist=LAURA,
        language=ENGLISH,
        timezone=LONDON,
        phone="+44 7700 900101",
        stories=(reached(RETREAT, "AWAITING_PAYMENT", hours=20),),
    ),
    Person(
        name="James O’Connor",
        therapist=LAURA,
        language=ENGLISH,
        timezone="Europe/Dublin",
        stories=(
            reached(RETREAT, "COMPLETED", days=90),
            reached(RETREAT, "AWAITING_PAYMENT", days=4),
        ),
    ),
    Person(
        name="Aitana Beltrán",
        therapist=LAURA,
        stories=(reached(RETREAT, "SCREENING_PENDING", days=1.5),),
    ),
    Person(
        name="Xavier Puig",
        therapist=JON,
        stories=(by_the_rules(reached(RETREAT, "SCREENING_COMPLETED", hours=3)),),
    ),
    Person(
        name="Rocío Montero",
        therapist=LAURA,
        stories=(
            reached(
                RETREAT,
                "PREPARATION_PHASE",
                moved(
                    "BLOCKED_HIGH_RISK",
                    "En la llamada previa cuenta que ha vuelto a tomar medicación.",
                ),
                days=2,
            ),
        ),
    ),
    Person(
        name="Félix Ortega",
        therapist=JON,
        stories=(
            reached(RETREAT, "SCREENING_PENDING", gave_up("No le cuadran las fechas."), days=34),
        ),
    ),
    Person(
        name="Alba Rovira",
        therapist=LAURA,
        email="",
        phone="+34 900 000 014",
        stories=(reached(RETREAT, "AWAITING_PAYMENT", days=6),),
    ),
    Person(
        name="Gonzalo Núñez",
        therapist=JON,
        stories=(
            reached(
                RETREAT, "CONFIRMED", gave_up("Cambio de trabajo, pide la devolución."), days=51
            ),
        ),
    ),
    Person(
        name="Sophie Turner-Hale",
        therapist=JON,
        language=ENGLISH,
        timezone=LONDON,
        stories=(reached(RETREAT, "COMPLETED", days=89),),
    ),
    # --- the programme of eight weeks
    Person(
        name="Teresa Villanueva",
        therapist=JON,
        stories=(
            reached(INTAKE, "COMPLETED", by=IMPORT, days=170),
            reached(AWAKENING, "COMPLETED", days=63),
        ),
    ),
    Person(
        name="Adrián Sáez",
        therapist=JON,
        stories=(reached(AWAKENING, "COMPLETED", days=60),),
    ),
    Person(
        name="Paloma Ríos",
        therapist=LAURA,
        stories=(
            reached(AWAKENING, "DEEP_DIVE", gave_up("Deja el programa por un duelo."), days=95),
            reached(AWAKENING, "INTEGRATION", opening="Vuelve con fuerzas y grupo nuevo.", days=3),
        ),
    ),
    Person(
        name="Mateo Cifuentes",
        therapist=JON,
        stories=(reached(AWAKENING, "ONBOARDING", days=2),),
    ),
    Person(
        name="Vera Lozano",
        therapist=JON,
        stories=(reached(AWAKENING, "ONBOARDING", days=11),),
    ),
    Person(
        name="Daniel Osei",
        therapist=LAURA,
        language=ENGLISH,
        timezone=LONDON,
        phone="+44 7700 900102",
        stories=(reached(AWAKENING, "DEEP_DIVE", days=8),),
    ),
    Person(
        name="Irene Gallardo",
        therapist=JON,
        stories=(
            reached(
                AWAKENING,
                "DEEP_DIVE",
                moved(
                    "BLOCKED_HIGH_RISK", "Duerme muy mal y el ánimo ha caído mucho en la semana 3."
                ),
                days=1.1,
            ),
        ),
    ),
    Person(
        name="Bruno Cabrera",
        therapist=JON,
        stories=(
            reached(
                AWAKENING,
                "DEEP_DIVE",
                moved("BLOCKED_HIGH_RISK", "Crisis de ansiedad fuerte tras la sesión 4."),
                explained(
                    "DEEP_DIVE",
                    ReasonCode.REVIEWED_SAFE,
                    "Valorado con su médica: puede seguir, con una llamada por semana.",
                    by=JON,
                    hours=90,
                ),
                days=10,
            ),
        ),
    ),
    Person(
        name="Leire Uribe",
        therapist=JON,
        stories=(began(AWAKENING, "WAITLIST", days=13),),
    ),
    Person(
        name="Tomás Navarro",
        therapist=LAURA,
        stories=(
            began(AWAKENING, "WAITLIST", moved("ONBOARDING", hours=250), days=4),
            reached(CHART, "COMPLETED", days=77),
        ),
    ),
    Person(
        name="Grace Whitmore",
        therapist=JON,
        language=ENGLISH,
        timezone=LONDON,
        stories=(reached(AWAKENING, "INTEGRATION", days=6),),
    ),
    # --- yoga
    Person(
        name="Ángeles Cordero",
        therapist=JON,
        stories=(
            reached(YOGA, "COMPLETED", days=70),
            reached(YOGA, "CONFIRMED", opening="Renueva el bono de invierno.", by=JON, days=15),
        ),
    ),
    Person(
        name="Quim Ferran",
        therapist=JON,
        stories=(reached(YOGA, "CONFIRMED", days=56),),
    ),
    Person(
        name="Silvia Cañizares",
        therapist=JON,
        stories=(
            reached(YOGA, "CONFIRMED", days=44),
            reached(CHART, "READING_BOOKED", days=2),
            reached(INTAKE, "COMPLETED", days=81),
        ),
    ),
    Person(
        name="Martín Echeverría",
        therapist=JON,
        stories=(reached(YOGA, "AWAITING_WAIVER", days=4),),
    ),
    Person(
        name="Oliver Bennett",
        therapist=JON,
        language=ENGLISH,
        timezone=LONDON,
        stories=(reached(YOGA, "AWAITING_WAIVER", hours=5),),
    ),
    Person(
        name="Pilar Santamaría",
        email="",
        phone="+34 900 000 027",
        stories=(reached(YOGA, "AWAITING_WAIVER", days=9),),
    ),
    Person(
        name="Nerea Goñi",
        therapist=JON,
        stories=(reached(YOGA, "ENROLLED", hours=1.2),),
    ),
    Person(
        name="Sergio Palacios",
        therapist=JON,
        stories=(reached(YOGA, "AWAITING_WAIVER", gave_up("Se muda a otra ciudad."), days=28),),
    ),
    # --- the natal chart
    Person(
        name="Clara Domènech",
        therapist=LAURA,
        stories=(reached(CHART, "CHART_IN_PROGRESS", days=1),),
    ),
    Person(
        name="Rubén Escudero",
        therapist=LAURA,
        stories=(reached(CHART, "AWAITING_BIRTH_DATA", days=3),),
    ),
    Person(
        name="Inés Bustamante",
        therapist=LAURA,
        stories=(
            reached(CHART, "COMPLETED", days=130),
            reached(RETREAT, "SCREENING_PENDING", days=0.3),
        ),
    ),
    # --- the intake
    Person(
        name="Jorge Castaño",
        therapist=JON,
        stories=(reached(INTAKE, "AWAITING_PAYMENT", days=5),),
    ),
    Person(
        name="Lorena Vidal",
        therapist=JON,
        stories=(
            reached(INTAKE, "PAYMENT_PENDING", payment_failed(), days=1.2),
            reached(YOGA, "CONFIRMED", days=101),
        ),
    ),
    Person(
        name="Alejandro Quirós",
        therapist=JON,
        stories=(reached(INTAKE, "PAYMENT_PENDING", hours=0.8),),
    ),
    Person(
        name="Beatriz Zamora",
        therapist=LAURA,
        stories=(reached(INTAKE, "SCREENING_PENDING", booking_cancelled(), days=19),),
    ),
    Person(
        name="Víctor Arroyo",
        therapist=JON,
        stories=(
            reached(INTAKE, "COMPLETED", by=IMPORT, days=175),
            reached(INTAKE, "CONFIRMED", opening="Nueva consulta, medio año después.", hours=4),
        ),
    ),
    Person(
        name="Harper Mitchell",
        therapist=LAURA,
        language=ENGLISH,
        timezone=LONDON,
        email="",
        phone="+44 7700 900103",
        stories=(reached(INTAKE, "AWAITING_PAYMENT", days=1),),
    ),
    Person(
        name="Eva Santos",
        therapist=JON,
        stories=(
            reached(
                INTAKE,
                "SCREENING_COMPLETED",
                blocked("BLOCKED", risk="UNKNOWN"),
                explained(
                    "AWAITING_PAYMENT",
                    ReasonCode.REVIEWED_SAFE,
                    "Revisado por teléfono: faltaba una página del cuestionario.",
                ),
                moved("PAYMENT_PENDING"),
                days=0.2,
            ),
        ),
    ),
    # --- on file, in no journey yet
    Person(name="Zoe Álamo", therapist=LAURA, registered_days=1),
    Person(name="Ñoño Pastrana", email="", registered_days=150),
    Person(name="Charlotte Reeves", language=ENGLISH, timezone=LONDON, registered_days=8),
    Person(name="Diego Armenteros", therapist=JON, registered_days=42),
    Person(name="Amaia Otxoa", registered_days=3),
    Person(name="Enrique Peñalver", therapist=LAURA, registered_days=97),
)

CLINICA_OM: Final = Practice(
    slug="clinica-om",
    name="Clínica Om",
    timezone="Europe/Madrid",
    prefix="om",
    colleagues=(
        Colleague(email="laura@clinica-om.example", name="Laura Vidal", role=MANAGER),
        Colleague(email="jon@clinica-om.example", name="Jon Salas", role=THERAPIST),
        Colleague(email="vera@clinica-om.example", name="Vera Campos", role=VIEWER),
    ),
    journeys=ARCHETYPES,
    ended=frozenset(),
    people=PEOPLE,
)
