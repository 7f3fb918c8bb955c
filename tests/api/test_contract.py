"""Every call that the description allows, and many that it forbids, against the real web server.

Schemathesis makes the calls from the description alone: the edges of every parameter and body,
random ones in between, and chains of operations along the ids that they answer with. The ids, keys
and stages of a small practice are among the values it draws from, so that calls reach something.
No answer may be a 5xx, and each must be one that the description tells.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events

from journeys.models import SystemEventLog
from journeys.services.templates import create_template
from journeys.services.transitions import enroll
from kura import tenancy
from kura.accounts.models import ApiToken, User
from kura.api.schema import description
from kura.demo.archetypes import ARCHETYPES
from tests.automation.practice import a_rule, tell
from tests.factories import OrganizationFactory, PatientFactory, a_user, system
from tests.http_server import serving
from tests.sizes import FULL, sized

EXAMPLES: Final = sized(reduced=2, full=100)  # random calls of each operation
UNLIMITED: Final = {f"KURA_RATE_{n}": "off" for n in ("USER", "INTEGRATION", "LOGIN", "CHECK")}

# What docs/api.md says of a request that is well formed: not this caller, not here, not in this
# state, not after somebody else's change, not for this template.
BY_FACTS: Final = ["2xx", "3xx", "401", "403", "404", "409", "412", "422"]
MALFORMED: Final = ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422"]

# What only the practice can judge of a body, and refuses as 400 with pointers: the meaning of a
# rule, a template's graph, a colleague's id, a time zone's name, an event without any id.
JUDGED: Final = [
    "post_rules",
    "put_rules_rule_id",
    "patch_rules_rule_id",
    "post_rules_dry_run",
    "post_rules_rule_id_backtest",
    "post_rules_rule_id_publish",
    "post_journey_templates",
    "patch_journey_templates_journey_key",
    "post_patients",
    "patch_patients_patient_id",
    "post_events",
]


PATHS: Final = description()["paths"].items()
LEFT_OUT: Final = ("cursor", "Idempotency-Key")


@pytest.fixture
def practice(committed_db):
    organization = OrganizationFactory()
    with tenancy.scope(organization):
        for blueprint in ARCHETYPES:
            create_template(organization=organization, blueprint=blueprint)
        yield organization


@pytest.fixture
def known(practice) -> dict[str, list[str]]:
    """What there is in the practice, by the name of the parameter or member that asks for it."""
    patients = [PatientFactory(organization=practice) for _ in range(4)]
    for patient, blueprint in zip(patients, ARCHETYPES, strict=False):
        enroll(patient_id=patient.pk, journey_key=blueprint.key, cause=system())
        tell(patient, "CUSTOM.call", f"e-{patient.pk}", journey_key=blueprint.key)
    rules = [a_rule(practice, f"CUSTOM.rare{number}") for number in range(3)]
    stages = sorted({code for blueprint in ARCHETYPES for code in blueprint.codes})
    return {
        "patient_id": [str(patient.pk) for patient in patients],
        "event_id": [str(pk) for pk in SystemEventLog.objects.values_list("pk", flat=True)],
        "rule_id": [str(rule.pk) for rule in rules],
        "journey_key": [blueprint.key for blueprint in ARCHETYPES],
        "to_stage": stages,
        "stage": stages,
    }


def a_token(user: User) -> str:
    _token, text = ApiToken.objects.make(user=user, name="laptop", expires_at=None)
    return text


def configured(port: int, practice, known: dict[str, list[str]]) -> SchemathesisConfig:
    token, another = (a_token(a_user(practice, "manager")) for _ in range(2))
    return SchemathesisConfig.from_dict(
        {
            "base-url": f"http://127.0.0.1:{port}",
            "headers": {"Authorization": f"Bearer {token}"},
            "continue-on-failure": True,
            "seed": 1,
            "dictionaries": {name: {"values": values} for name, values in known.items()},
            "parameters": {
                f"{place}.{name}": {"dictionary": name, "probability": 0.8}
                for name in known
                for place in ("path", "query", "body")
            },
            "generation": {
                "max-examples": EXAMPLES,
                "deterministic": True,
                "database": "none",
                "no-shrink": True,
                "allow-x00": False,  # PostgreSQL cannot keep it, and no schema can say that
            },
            # The edges of what is allowed, and in a soak of what is forbidden too: 2000 calls more.
            "phases": {"coverage": {"generation": {"mode": "all" if FULL else "positive"}}},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": BY_FACTS},
                "negative_data_rejection": {"expected-statuses": MALFORMED},
            },
            "operations": [
                {
                    "include-operation-id": JUDGED,
                    "checks": {
                        "positive_data_acceptance": {"expected-statuses": ["400", *BY_FACTS]}
                    },
                },
                {  # answers 200 and tells what is wrong with the rule: that is what it is for
                    "include-operation-id": "post_rules_validate",
                    "checks": {"negative_data_rejection": {"enabled": False}},
                },
                {  # an archived rule stays readable
                    "include-operation-id": [
                        "get_rules_rule_id",
                        "patch_rules_rule_id",
                        "post_rules_rule_id_backtest",
                    ],
                    "checks": {"use_after_free": {"enabled": False}},
                },
                {  # as somebody else: the token of all other calls shall live
                    "include-operation-id": "delete_auth_tokens_token_id",
                    "headers": {"Authorization": f"Bearer {another}"},
                },
            ],
        }
    )


def to_be_called() -> dict[str, Any]:
    """The description without what would keep calls from the views.

    No made-up cursor is valid, the same Idempotency-Key with another body is refused, and a version
    that is made up is old; `*` is the one that there is. Each of them has tests of its own.
    """
    said = copy.deepcopy(dict(description()))
    for methods in said["paths"].values():
        for operation in methods.values():
            given = operation.get("parameters", [])
            operation["parameters"] = [one for one in given if one["name"] not in LEFT_OUT]
            for one in given:
                if one["name"] == "If-Match":
                    one["schema"] = {"type": "string", "enum": ["*"]}
    return said


@dataclass
class Seen:
    """`statuses` by operation: how often each was the answer."""

    failures: list[str] = field(default_factory=list)
    statuses: dict[str, Counter[int]] = field(default_factory=dict)

    def take(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            self.failures.append(f"{event.label}: {event.info.format()}")
        if isinstance(event, events.ScenarioFinished):
            for case_id, call in event.recorder.interactions.items():
                if call.response is not None:
                    operation = event.recorder.cases[case_id].value.operation.label
                    self.statuses.setdefault(operation, Counter())[call.response.status_code] += 1
            self.failures += _failed(event)


def _failed(event: events.ScenarioFinished) -> Iterator[str]:
    for case_id, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                why, call = check.failure_info, event.recorder.interactions[case_id]
                told = call.response.content[:500] if call.response else b""
                yield f"{check.name}: {why.failure}\n{why.code_sample}\n{told.decode()}"


@pytest.mark.soak
def test_every_answer_is_one_that_the_description_tells(practice, known, tmp_path):
    seen = Seen()
    with serving(tmp_path / "web.log", **UNLIMITED) as server:
        config = configured(server.port, practice, known)
        schema = schemathesis.openapi.from_dict(to_be_called(), config=config)
        for event in engine.from_schema(schema).execute():
            seen.take(event)

    assert not seen.failures, "\n\n".join(seen.failures)
    assert set(seen.statuses) == {
        f"{method.upper()} {path}" for path, methods in PATHS for method in methods
    }
    refused = {name for name, told in seen.statuses.items() if min(told) >= 400}
    assert not {name for name in refused if name.startswith("GET ")}  # the ids were real
