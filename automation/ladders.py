"""The time-outs of the archetype journeys: Spec 5, with its hours, as ladders.

First the patient is reminded, a few times and never more than once a day; then a person is asked
to look. A block that nobody reviews is for staff alone, from its first day: the patient can do
nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from automation.judging import TIMEOUT
from automation.ready import ReadyRule, mail, said, task
from kura.conditions import Labels

DAY: Final = 24  # hours
WEEK: Final = 7 * DAY
LOOK_WITHIN: Final = 24  # hours for the person who is asked to look

_STUCK: Final = said(
    "{patient.full_name} sigue en «{stage.name}» de «{journey.name}» ({hours_in_stage} h). Los "
    "recordatorios no han bastado: llama o decide cómo seguir.",
    "{patient.full_name} is still in “{stage.name}” of “{journey.name}” ({hours_in_stage} h). The "
    "reminders were not enough: call, or decide how to go on.",
)
_STANDS_STILL: Final = said(
    "{patient.full_name} lleva {hours_in_stage} h en «{stage.name}» de «{journey.name}» sin "
    "avanzar. Llama o decide cómo seguir.",
    "{patient.full_name} has been in “{stage.name}” of “{journey.name}” for {hours_in_stage} h "
    "without going on. Call, or decide how to go on.",
)
_UNREVIEWED: Final = said(
    "{patient.full_name} lleva {hours_in_stage} h en espera en «{journey.name}» y nadie lo ha "
    "revisado. Revisa el bloqueo.",
    "{patient.full_name} has been on hold in “{journey.name}” for {hours_in_stage} h and nobody "
    "has reviewed it. Review the block.",
)
_NOBODY_LOOKED: Final = {
    "field": "journey.reviewed_at",
    "op": "exists",
    "value": False,
    "label": said("nadie ha revisado el bloqueo", "nobody has reviewed the block"),
}
_FORGOTTEN_SUBJECT: Final = said(
    "⚠️ Un bloqueo sin revisar: {journey.name}", "⚠️ A block without review: {journey.name}"
)
_FORGOTTEN_BODY: Final = said(
    "{patient.full_name} lleva {hours_in_stage} h en «{stage.name}» de «{journey.name}» y nadie "
    "ha revisado el bloqueo. Una terapeuta tiene que decidir cómo seguir.",
    "{patient.full_name} has been in “{stage.name}” of “{journey.name}” for {hours_in_stage} h and "
    "nobody has reviewed the block. A therapist has to decide how to go on.",
)


def _letter(es: str, en: str) -> Labels:
    """The same greeting, the way out and the signature round what it is about."""
    return said(
        f"Hola, {{patient.first_name}}:\n\n{es}\n\nSi ya lo has hecho, no tienes que hacer nada "
        "más. Si tienes dudas o has cambiado de idea, escríbenos y lo vemos contigo.\n\n"
        "{practice.name}",
        f"Hello {{patient.first_name}},\n\n{en}\n\nIf you have done it already, there is nothing "
        "more to do. If you have questions or have changed your mind, write to us and we will look "
        "at it together.\n\n{practice.name}",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ladder:
    """Reminders at `hours`, again each `again` hours, `most` in all; at `ask_at` a person."""

    key: str
    journey: str
    stage: str
    labels: Labels
    hours: int
    again: int | None
    most: int | None
    subject: Labels
    body: Labels
    ask_at: int

    def rules(self) -> Iterator[ReadyRule]:
        if self.ask_at > self.hours:
            yield self._reminder(mail(self.subject, self.body))
            yield self._question()
        else:
            alert = task(_STANDS_STILL, due_in_hours=LOOK_WITHIN)
            yield self._reminder(alert, mail(self.subject, self.body))

    def _reminder(self, *actions: dict[str, Any]) -> ReadyRule:
        return self._rule(
            "reminder",
            said(
                f"{self.journey}: recordatorio en «{self.labels['es']}»",
                f"{self.journey}: reminder in “{self.labels['en']}”",
            ),
            said(
                "Quien lleva demasiado tiempo en esta etapa recibe un recordatorio; como mucho uno "
                "al día, y nunca de noche.",
                "Who has been in this stage for too long is reminded; once a day at most, and "
                "never at night.",
            ),
            actions,
            {"max_hours": self.hours, "repeat_hours": self.again, "max_repeats": self.most},
        )

    def _question(self) -> ReadyRule:
        return self._rule(
            "escalation",
            said(
                f"{self.journey}: avisar a la terapeuta en «{self.labels['es']}»",
                f"{self.journey}: tell the therapist in “{self.labels['en']}”",
            ),
            said(
                "Cuando los recordatorios no bastan, una terapeuta recibe la tarea de mirar qué "
                "pasa.",
                "When reminders are not enough, a therapist is given the task to see what is the "
                "matter.",
            ),
            [task(_STUCK, due_in_hours=LOOK_WITHIN)],
            {"max_hours": self.ask_at},
        )

    def _rule(
        self,
        kind: str,
        names: Labels,
        descriptions: Labels,
        actions: Sequence[dict[str, Any]],
        clock: dict[str, Any],
    ) -> ReadyRule:
        return ReadyRule(
            code=f"{self.key}.{self.stage.lower()}.{kind}",
            names=names,
            descriptions=descriptions,
            journey_key=self.key,
            trigger=TIMEOUT,
            stage=self.stage,
            actions=actions,
            clock=clock,
        )


def _unreviewed(key: str, journey: str, block: str) -> Iterator[ReadyRule]:
    """A patient on hold whom nobody looks at waits unseen: that is for staff, day and night."""
    common: dict[str, Any] = {
        "journey_key": key,
        "trigger": TIMEOUT,
        "stage": block,
        "conditions": _NOBODY_LOOKED,
    }
    yield ReadyRule(
        code=f"{key}.block_unreviewed",
        names=said(f"{journey}: bloqueo sin revisar", f"{journey}: block without review"),
        descriptions=said(
            "Un bloqueo que nadie ha revisado en un día es una tarea para la terapeuta.",
            "A block that nobody has reviewed within a day is a task for the therapist.",
        ),
        actions=[task(_UNREVIEWED, due_in_hours=LOOK_WITHIN)],
        clock={"max_hours": DAY},
        **common,
    )
    yield ReadyRule(
        code=f"{key}.block_forgotten",
        names=said(f"{journey}: bloqueo olvidado", f"{journey}: forgotten block"),
        descriptions=said(
            "Un bloqueo de tres días sin revisar se avisa al centro, cada día.",
            "A block without review for three days is told to the practice, each day.",
        ),
        actions=[mail(_FORGOTTEN_SUBJECT, _FORGOTTEN_BODY, audience="practice")],
        clock={"max_hours": 3 * DAY, "repeat_hours": DAY, "max_repeats": 7},
        **common,
    )


LADDERS: Final[Sequence[Ladder]] = (
    Ladder(
        key="retreat_ibiza_2025",
        journey="Retiro Ibiza",
        stage="AWAITING_PAYMENT",
        labels=said("Pendiente de pago", "Awaiting payment"),
        hours=48,
        again=DAY,
        most=3,
        subject=said(
            "⏰ Recordatorio: Completa tu reserva del Retiro",
            "⏰ Reminder: Complete your retreat booking",
        ),
        body=_letter(
            "Tu plaza en «{journey.name}» está reservada y pendiente de pago.",
            "Your place in “{journey.name}” is reserved and awaits payment.",
        ),
        ask_at=WEEK,
    ),
    Ladder(
        key="retreat_ibiza_2025",
        journey="Retiro Ibiza",
        stage="PREPARATION_PHASE",
        labels=said("Preparación", "Preparation"),
        hours=WEEK,
        again=3 * DAY,
        most=2,
        subject=said(
            "🌿 Recordatorio: Tu preparación para el Retiro",
            "🌿 Reminder: Your preparation for the retreat",
        ),
        body=_letter(
            "Se acerca «{journey.name}». Repasa la guía de preparación y reserva tu llamada.",
            "“{journey.name}” is coming closer. Go through the preparation guide and book your "
            "call.",
        ),
        ask_at=2 * WEEK,
    ),
    Ladder(
        key="carta_natal",
        journey="Carta natal",
        stage="AWAITING_BIRTH_DATA",
        labels=said("Datos de nacimiento", "Birth data"),
        hours=DAY,
        again=2 * DAY,
        most=3,
        subject=said(
            "⏰ Recordatorio: Envíanos tus datos de nacimiento",
            "⏰ Reminder: Send us your birth data",
        ),
        body=_letter(
            "Para empezar tu carta nos faltan la fecha, la hora y el lugar de nacimiento.",
            "To begin your chart we still need the date, time and place of your birth.",
        ),
        ask_at=WEEK,
    ),
    Ladder(
        key="despertar_8s",
        journey="Despertar",
        stage="ONBOARDING",
        labels=said("Bienvenida", "Welcome"),
        hours=WEEK,
        again=WEEK,
        most=2,
        subject=said(
            "✨ Recordatorio: Tu bienvenida a Despertar te espera",
            "✨ Reminder: Your welcome to Despertar awaits you",
        ),
        body=_letter(
            "Hace una semana que empezaste «{journey.name}». Tus primeros materiales te esperan.",
            "You began “{journey.name}” a week ago. Your first materials are waiting for you.",
        ),
        ask_at=3 * WEEK,
    ),
    Ladder(
        key="despertar_8s",
        journey="Despertar",
        stage="DEEP_DIVE",
        labels=said("Inmersión", "Deep dive"),
        hours=2 * WEEK,
        again=None,
        most=None,
        subject=said(
            "🌊 Recordatorio: Seguimos contigo en Despertar",
            "🌊 Reminder: We are with you in Despertar",
        ),
        body=_letter(
            "Llevas un tiempo en esta parte de «{journey.name}». Reserva tu próxima sesión cuando "
            "te venga bien.",
            "You have been in this part of “{journey.name}” for a while. Book your next session "
            "when it suits you.",
        ),
        ask_at=2 * WEEK,
    ),
    Ladder(
        key="yoga_urban_om",
        journey="Yoga",
        stage="AWAITING_WAIVER",
        labels=said("Consentimiento pendiente", "Awaiting waiver"),
        hours=DAY,
        again=DAY,
        most=3,
        subject=said(
            "⏰ Recordatorio: Firma tu consentimiento para empezar",
            "⏰ Reminder: Sign your waiver to begin",
        ),
        body=_letter(
            "Solo falta tu consentimiento firmado para empezar en «{journey.name}».",
            "Only your signed waiver is missing to begin in “{journey.name}”.",
        ),
        ask_at=WEEK,
    ),
    Ladder(
        key="intake",
        journey="Intake",
        stage="AWAITING_PAYMENT",
        labels=said("Pendiente de pago", "Awaiting payment"),
        hours=48,
        again=DAY,
        most=3,
        subject=said(
            "⏰ Recordatorio: Completa el pago de tu plaza",
            "⏰ Reminder: Complete the payment for your place",
        ),
        body=_letter(
            "Tu plaza en «{journey.name}» está pendiente de pago.",
            "Your place in “{journey.name}” awaits payment.",
        ),
        ask_at=WEEK,
    ),
)
TIMEOUTS: Final[Sequence[ReadyRule]] = (
    *(rule for ladder in LADDERS for rule in ladder.rules()),
    *_unreviewed("retreat_ibiza_2025", "Retiro Ibiza", "BLOCKED_HIGH_RISK"),
    *_unreviewed("despertar_8s", "Despertar", "BLOCKED_HIGH_RISK"),
    *_unreviewed("intake", "Intake", "BLOCKED"),
)
