"""The ready rules of the archetype journeys: Spec 3.1's table, 5 and 6.2, in both languages.

`install()` makes those whose journeys the practice has, once: a rule that is there under its code
is never touched again, whatever a therapist made of it, and an archived one does not come back.

What protects the patient goes further than what moves them on: a risk that is high, critical or
could not be determined puts the patient on hold, also when it was found before they enrolled; a
medium one is a task for the therapist; only a low one lets them go on, and only from a completed
questionnaire. A payment is confirmed by mail after the move: a patient on hold is told nothing,
their payment is refused by the block, and it can be replayed once a person has lifted that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from automation.errors import InvalidRule, ReadyRuleUnfit
from automation.ladders import TIMEOUTS
from automation.models.rule import AutomationRule
from automation.ready import ReadyRule, mail, said, task, to
from automation.services.rules import create_rule, hold_rules
from automation.validation import words_of
from journeys.models.template import JourneyTemplate
from kura.accounts.models import Organization, User

BLOCK_FIRST: Final = 10  # the engine lets blocks go first anyway; the list of rules reads so, too
ENDED: Final = ["COMPLETED", "CANCELLED"]
DANGEROUS: Final = ["HIGH", "CRITICAL"]
REVIEW_WITHIN: Final = 48  # hours for a medium risk, which holds nobody up by itself


@transaction.atomic
def install(
    organization: Organization,
    keys: Collection[str] | None = None,
    user: User | None = None,
    *,
    codes: Collection[str] | None = None,
    also_waiting: bool = False,
) -> list[AutomationRule]:
    """The rules that were made now. `keys`: only of these journeys; `codes`: only these. Needs the
    tenant scope.

    `also_waiting`: their time-outs count for those who wait already, too (`create_rule`).
    Locks the organization's rules: who installs at the same time finds them there. ReadyRuleUnfit
    when a journey of the practice is not the archetype any more: nothing is installed then, since
    half of a journey's rules could move people without the half that protects them. RuleCycle.
    """
    hold_rules(organization.pk)
    known = _known_journeys(organization)
    wanted = known if keys is None else known & set(keys)
    there = set(
        AutomationRule.objects.filter(organization=organization, code__isnull=False).values_list(
            "code", flat=True
        )
    )
    return [
        _made(organization, rule, user, also_waiting=also_waiting)
        for rule in READY_RULES
        if rule.journey_key in wanted and rule.code not in there
        if codes is None or rule.code in codes
    ]


def _made(
    organization: Organization, ready: ReadyRule, user: User | None, *, also_waiting: bool
) -> AutomationRule:
    definition = ready.definition(organization.language)
    try:
        return create_rule(
            organization=organization,
            definition=definition,
            user=user,
            code=ready.code,
            also_waiting=also_waiting,
        )
    except InvalidRule as refusal:
        raise ReadyRuleUnfit(
            rule_code=ready.code,
            rule_name=definition["name"],
            journey_key=ready.journey_key,
            problem_words=words_of(refusal.context["problems"]),
        ) from refusal


def _known_journeys(organization: Organization) -> set[str]:
    templates = JourneyTemplate.objects.filter(organization=organization)
    return set(templates.values_list("key", flat=True))


# --- how they are written -----------------------------------------------------------------------


_REVIEW: Final = said(
    "Revisar a {patient.full_name}: el análisis da riesgo medio en «{journey.name}».",
    "Review {patient.full_name}: the analysis says medium risk in “{journey.name}”.",
)
_PAID_SUBJECT: Final = said(
    "Hemos recibido tu pago: {journey.name}", "We have received your payment: {journey.name}"
)
_PAID_BODY: Final = said(
    "Hola, {patient.first_name}:\n\nHemos recibido tu pago de «{journey.name}». Gracias.\n\n"
    "{practice.name}",
    "Hello {patient.first_name},\n\nWe have received your payment for “{journey.name}”. Thank you."
    "\n\n{practice.name}",
)


def _risk_is(field_path: str, levels: Sequence[str]) -> dict[str, Any]:
    if len(levels) == 1:
        return {"field": field_path, "op": "eq", "value": levels[0]}
    return {"field": field_path, "op": "in", "value": list(levels)}


def _standing_in(key: str, stages: Sequence[str]) -> dict[str, Any]:
    """One stage is part of the trigger, several are a condition."""
    if len(stages) == 1:
        return {"stage": stages[0]}
    return {"conditions": {"field": f"journeys.{key}", "op": "in", "value": list(stages)}}


@dataclass(frozen=True, slots=True)
class _Risky:
    """A journey in which a risk matters: `block` is where its rules put the patient on hold."""

    key: str
    name: str
    block: str

    def rules(self) -> Iterator[ReadyRule]:
        yield self._high()
        yield self._undetermined()
        yield self._known_before()
        yield self._medium()

    def _high(self) -> ReadyRule:
        return ReadyRule(
            code=f"{self.key}.risk_high",
            names=said(
                f"{self.name}: bloquear con riesgo alto", f"{self.name}: block at high risk"
            ),
            descriptions=said(
                "Un análisis con riesgo alto o crítico detiene el journey hasta que una terapeuta "
                "lo revise.",
                "An analysis with high or critical risk stops the journey until a therapist has "
                "reviewed it.",
            ),
            conditions={"all": [_risk_is("event.payload.risk_level", DANGEROUS), self._is_open()]},
            **self._block("RISK_ANALYSIS_COMPLETED"),
        )

    def _undetermined(self) -> ReadyRule:
        return ReadyRule(
            code=f"{self.key}.risk_unknown",
            names=said(
                f"{self.name}: bloquear con riesgo sin determinar",
                f"{self.name}: block at undetermined risk",
            ),
            descriptions=said(
                "Si el análisis no sabe decir el riesgo, lo decide una terapeuta.",
                "If the analysis cannot tell the risk, a therapist decides.",
            ),
            conditions={
                "all": [_risk_is("event.payload.risk_level", ["UNKNOWN"]), self._is_open()]
            },
            **self._block("RISK_ANALYSIS_COMPLETED"),
        )

    def _known_before(self) -> ReadyRule:
        return ReadyRule(
            code=f"{self.key}.risk_known_before",
            names=said(
                f"{self.name}: bloquear al inscribir con riesgo conocido",
                f"{self.name}: block who enrolls at a known risk",
            ),
            descriptions=said(
                "Quien se inscribe y cuyo último análisis no fue bajo ni medio espera a una "
                "terapeuta.",
                "Whoever enrolls and whose last analysis was neither low nor medium waits for a "
                "therapist.",
            ),
            conditions=_risk_is(
                "events.RISK_ANALYSIS_COMPLETED.last.risk_level", [*DANGEROUS, "UNKNOWN"]
            ),
            **self._block("JOURNEY_ENROLLED"),
        )

    def _medium(self) -> ReadyRule:
        return ReadyRule(
            code=f"{self.key}.risk_medium",
            names=said(
                f"{self.name}: riesgo medio, tarea de revisión",
                f"{self.name}: medium risk, task to review",
            ),
            descriptions=said(
                "Con riesgo medio nadie avanza ni se detiene: la terapeuta recibe una tarea.",
                "At a medium risk nobody moves on or is held: the therapist is given a task.",
            ),
            journey_key=self.key,
            trigger="RISK_ANALYSIS_COMPLETED",
            conditions={"all": [_risk_is("event.payload.risk_level", ["MEDIUM"]), self._is_open()]},
            actions=[task(_REVIEW, due_in_hours=REVIEW_WITHIN)],
        )

    def _block(self, trigger: str) -> dict[str, Any]:
        return {
            "journey_key": self.key,
            "trigger": trigger,
            "actions": [to(self.key, self.block)],
            "priority": BLOCK_FIRST,
        }

    def _is_open(self) -> dict[str, Any]:
        """Nothing to hold where the patient never was, or where the journey has ended."""
        return {"field": f"journeys.{self.key}", "op": "not_in", "value": ENDED}


def _form(key: str, name: str, stages: Sequence[str], to_stage: str) -> ReadyRule:
    return ReadyRule(
        code=f"{key}.form_completed",
        names=said(f"{name}: formulario recibido", f"{name}: form received"),
        descriptions=said(
            "El formulario que se esperaba ha llegado: el paciente pasa a la etapa siguiente.",
            "The form that was waited for has come: the patient moves to the next stage.",
        ),
        journey_key=key,
        trigger="FORM_SUBMISSION_COMPLETED",
        actions=[to(key, to_stage)],
        **_standing_in(key, stages),
    )


def _low_risk(key: str, name: str) -> ReadyRule:
    return ReadyRule(
        code=f"{key}.risk_low",
        names=said(f"{name}: riesgo bajo, pedir el pago", f"{name}: low risk, ask for payment"),
        descriptions=said(
            "Con el cuestionario completado y riesgo bajo, el paciente ya puede pagar.",
            "With the questionnaire completed and a low risk, the patient may pay.",
        ),
        journey_key=key,
        trigger="RISK_ANALYSIS_COMPLETED",
        stage="SCREENING_COMPLETED",
        conditions={"field": "event.payload.risk_level", "op": "eq", "value": "LOW"},
        actions=[to(key, "AWAITING_PAYMENT")],
    )


def _paid(key: str, name: str, stages: Sequence[str], to_stage: str, *, block: str) -> ReadyRule:
    """Who is on hold is asked for as well: the block refuses the move, so that the payment stays in
    sight and can be replayed. A rule that did not match could not be.
    """
    return ReadyRule(
        code=f"{key}.payment_succeeded",
        names=said(f"{name}: pago recibido", f"{name}: payment received"),
        descriptions=said(
            "Quien debía pagar y ha pagado pasa adelante, y recibe la confirmación por correo. "
            "Si está en espera no se mueve: el pago se rechaza y se puede repetir.",
            "Who had to pay and has paid moves on, and is told so by mail. Who is on hold stays: "
            "the payment is refused and can be replayed.",
        ),
        journey_key=key,
        trigger="PAYMENT_SUCCEEDED",
        actions=[to(key, to_stage), mail(_PAID_SUBJECT, _PAID_BODY)],
        **_standing_in(key, [*stages, block]),
    )


def _payment_failed(key: str, name: str) -> ReadyRule:
    return ReadyRule(
        code=f"{key}.payment_failed",
        names=said(f"{name}: pago fallido", f"{name}: payment failed"),
        descriptions=said(
            "El banco no ha cobrado: el pago vuelve a estar pendiente.",
            "The bank has not been paid: the payment is awaited again.",
        ),
        journey_key=key,
        trigger="PAYMENT_FAILED",
        stage="PAYMENT_PENDING",
        actions=[to(key, "AWAITING_PAYMENT")],
    )


def _booked(key: str, name: str) -> ReadyRule:
    return ReadyRule(
        code=f"{key}.booking_confirmed",
        names=said(f"{name}: cita reservada", f"{name}: appointment booked"),
        descriptions=said(
            "La carta está en preparación y el paciente ha reservado la lectura.",
            "The chart is in preparation and the patient has booked the reading.",
        ),
        journey_key=key,
        trigger="BOOKING_CONFIRMED",
        stage="CHART_IN_PROGRESS",
        actions=[to(key, "READING_BOOKED")],
    )


def _cancelled(key: str, name: str) -> ReadyRule:
    return ReadyRule(
        code=f"{key}.booking_cancelled",
        names=said(f"{name}: reserva cancelada", f"{name}: booking cancelled"),
        descriptions=said(
            "Quien cancela su reserva sale de este journey; sus otros journeys no cambian.",
            "Who cancels the booking leaves this journey; their other journeys do not change.",
        ),
        journey_key=key,
        trigger="BOOKING_CANCELLED",
        actions=[to(key, "CANCELLED")],
    )


# --- the rules ------------------------------------------------------------------------------------

_RETREAT: Final = ("retreat_ibiza_2025", "Retiro Ibiza")
_CHART: Final = ("carta_natal", "Carta natal")
_AWAKENING: Final = ("despertar_8s", "Despertar")
_YOGA: Final = ("yoga_urban_om", "Yoga")
_INTAKE: Final = ("intake", "Intake")

READY_RULES: Final[Sequence[ReadyRule]] = (
    *_Risky(*_RETREAT, "BLOCKED_HIGH_RISK").rules(),
    _form(*_RETREAT, ["SCREENING_PENDING"], "SCREENING_COMPLETED"),
    _low_risk(*_RETREAT),
    _paid(*_RETREAT, ["AWAITING_PAYMENT"], "PREPARATION_PHASE", block="BLOCKED_HIGH_RISK"),
    _cancelled(*_RETREAT),
    _form(*_CHART, ["AWAITING_BIRTH_DATA"], "CHART_IN_PROGRESS"),
    _booked(*_CHART),
    _cancelled(*_CHART),
    *_Risky(*_AWAKENING, "BLOCKED_HIGH_RISK").rules(),
    _cancelled(*_AWAKENING),
    _form(*_YOGA, ["AWAITING_WAIVER", "ENROLLED"], "CONFIRMED"),
    _cancelled(*_YOGA),
    *_Risky(*_INTAKE, "BLOCKED").rules(),
    _form(*_INTAKE, ["SCREENING_PENDING"], "SCREENING_COMPLETED"),
    _low_risk(*_INTAKE),
    _paid(*_INTAKE, ["AWAITING_PAYMENT", "PAYMENT_PENDING"], "CONFIRMED", block="BLOCKED"),
    _payment_failed(*_INTAKE),
    _cancelled(*_INTAKE),
    *TIMEOUTS,
)
