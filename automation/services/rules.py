"""Every write to a rule: create, keep a draft, publish, switch, archive.

What is published is valid and proven to be part of no cycle, is version n + 1, and stays for ever.
A draft lives beside it and changes nothing. All writes to an organization's rules wait for each
other (`hold_rules`): two rules that close a cycle together cannot both be published.

Permissions are asked at the edges; `user` is who is written down, None for Kura itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from automation import errors
from automation.actions.base import Practice
from automation.definition import normal
from automation.judging import TIMEOUT
from automation.models.rule import AutomationRule, RuleSwitch, RuleVersion, SwitchKind
from automation.selectors.rules import cycle_through
from automation.validation import problems_of, require_valid, unkeepable, words_of
from kura import tenancy
from kura.accounts.models import Organization, User
from kura.errors import database_refusals

Definition = Mapping[str, Any]
UNPUBLISHED: Final = 0  # the version of a rule that has a draft and nothing else
MOST_NAME: Final = 200  # characters
_HOLD: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


@transaction.atomic
def create_rule(
    *,
    organization: Organization,
    definition: Definition,
    user: User | None,
    is_active: bool = True,
    code: str | None = None,
    also_waiting: bool = False,
) -> AutomationRule:
    """Version 1. InvalidRule with every problem; RuleCycle; ReadyRuleInstalled for a code again.

    `also_waiting`: a time-out counts for those who are in the stage already, too, and not only for
    visits that begin from now; `selectors.stale.people_waiting` says how many that are.
    Needs the organization's tenant scope. Locks the organization's rules.
    """
    if not tenancy.in_scope(organization.pk):
        raise errors.RuleNotFound
    hold_rules(organization.pk)
    practice = Practice(organization=organization)
    require_valid(definition, practice)
    rule = AutomationRule(organization=organization, code=code, is_active=is_active)
    _say(rule, normal(definition))
    if is_active:
        _begin(rule, also_waiting=also_waiting)
        _require_no_cycle(rule, practice)
    with database_refusals(), transaction.atomic():
        rule.save(force_insert=True)
    _keep_version(rule, user)
    _keep_switch(rule, SwitchKind.ON if is_active else SwitchKind.OFF, user)
    return rule


@transaction.atomic
def create_draft(*, organization: Organization, definition: Definition) -> AutomationRule:
    """A rule that says nothing yet: version 0, switched off, with its first draft.

    InvalidRule only for what cannot be kept at all, as in `save_draft`. Published, it is version
    1. Needs the organization's tenant scope. Locks the organization's rules.
    """
    if not tenancy.in_scope(organization.pk):
        raise errors.RuleNotFound
    hold_rules(organization.pk)
    _require_keepable(definition)
    name = definition.get("name")
    rule = AutomationRule(
        organization=organization,
        name=_working_name(name if isinstance(name, str) else ""),
        is_active=False,
        version=UNPUBLISHED,
        draft=dict(definition),
    )
    rule.save(force_insert=True)
    return rule


@transaction.atomic
def save_draft(
    *, rule_id: uuid.UUID, definition: Definition, seen_at: datetime | None = None
) -> AutomationRule:
    """Keep the next version, finished or not; what is live does not change.

    `seen_at`: the rule's `updated_at` when it was opened; RuleChanged if it was touched since.
    InvalidRule only for what cannot be kept at all; `validation.problems_of` tells the rest. A
    draft that says what is published is no draft.
    """
    rule = _held(rule_id)
    _require_seen(rule, seen_at)
    _require_keepable(definition)
    rule.draft = None if _says_nothing_new(rule, definition) else dict(definition)
    if rule.version == UNPUBLISHED and isinstance(definition.get("name"), str):
        rule.name = _working_name(definition["name"])
    rule.save(update_fields=["name", "draft", "updated_at"])
    return rule


@transaction.atomic
def discard_draft(*, rule_id: uuid.UUID, seen_at: datetime | None = None) -> AutomationRule:
    """What is published stays as it is."""
    rule = _held(rule_id)
    _require_seen(rule, seen_at)
    rule.draft = None
    rule.save(update_fields=["draft", "updated_at"])
    return rule


@transaction.atomic
def publish(
    *,
    rule_id: uuid.UUID,
    user: User | None,
    expected_version: int,
    definition: Definition | None = None,
    seen_at: datetime | None = None,
    also_waiting: bool | None = None,
) -> AutomationRule:
    """Make the draft, or `definition`, the next version. Locks the organization's rules.

    `also_waiting` as in `create_rule`; None: a time-out that keeps its journey and stage goes on
    counting for whom it counted, and one that changes them begins with visits from now.

    RuleChanged when `expected_version` is no longer the published one: two editors do not
    overwrite each other. NoDraft, InvalidRule, RuleCycle. What says nothing new is no new version.
    """
    rule = _held(rule_id)
    if rule.version != expected_version:
        raise errors.RuleChanged(current_version=rule.version)
    _require_seen(rule, seen_at)
    wanted = rule.draft if definition is None else definition
    if wanted is None:
        raise errors.NoDraft
    practice = Practice(organization=rule.organization)
    require_valid(wanted, practice)
    is_new = normal(wanted) != rule.definition
    rule.draft = None
    if is_new:
        rule.version += 1
        place = _place(rule)
        _say(rule, normal(wanted))
        if also_waiting is not None or place != _place(rule):
            _begin(rule, also_waiting=bool(also_waiting))
        if rule.is_active:
            _require_no_cycle(rule, practice)
    rule.save()
    if is_new:
        _keep_version(rule, user)
    return rule


@transaction.atomic
def set_active(
    *,
    rule_id: uuid.UUID,
    is_active: bool,
    user: User | None,
    also_waiting: bool = False,
    seen_at: datetime | None = None,
) -> AutomationRule:
    """Switch the published version on or off, and keep who did.

    `also_waiting` as in `create_rule`, `seen_at` as in `save_draft`. What slept may have become
    wrong meanwhile: to switch on is checked like publishing.
    """
    rule = _held(rule_id)
    _require_seen(rule, seen_at)
    if rule.is_active == is_active:
        return rule
    if is_active:
        practice = Practice(organization=rule.organization)
        require_valid(rule.definition, practice)
        _require_no_cycle(rule, practice)
        _begin(rule, also_waiting=also_waiting)
    rule.is_active = is_active
    rule.save(update_fields=["is_active", "visits_from", "updated_at"])
    _keep_switch(rule, SwitchKind.ON if is_active else SwitchKind.OFF, user)
    return rule


@transaction.atomic
def archive(*, rule_id: uuid.UUID, user: User | None) -> AutomationRule:
    """Out of the way for ever, but not out of the history. A ready rule is not installed again."""
    rule = _held(rule_id)
    rule.archived_at, rule.is_active, rule.draft = timezone.now(), False, None
    rule.save(update_fields=["archived_at", "is_active", "draft", "updated_at"])
    _keep_switch(rule, SwitchKind.ARCHIVED, user)
    return rule


# --- locks and checks ---------------------------------------------------------------------------


def hold_rules(organization_id: uuid.UUID) -> None:
    """One writer of an organization's rules at a time, to the end of the transaction.

    Whoever reads the rules to decide what to write takes it first; taking it twice does no harm.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [f"automation_rules:{organization_id}"])


def _held(rule_id: uuid.UUID) -> AutomationRule:
    """The rule as nobody else can change it now. Runs go on meanwhile: they only need its row."""
    mine = AutomationRule.objects.filter(pk=rule_id)
    organization_id = mine.values_list("organization_id", flat=True).first()
    if organization_id is None:
        raise errors.RuleNotFound
    hold_rules(organization_id)
    rule = mine.select_related("organization").select_for_update(of=("self",), no_key=True).get()
    if rule.archived_at is not None:
        raise errors.RuleArchived
    return rule


def _require_seen(rule: AutomationRule, seen_at: datetime | None) -> None:
    if seen_at is not None and seen_at != rule.updated_at:
        raise errors.RuleChanged(current_version=rule.version)


def _require_keepable(definition: Definition) -> None:
    unkept = unkeepable(definition)
    if unkept:
        raise errors.InvalidRule(problems=unkept, problem_words=words_of(unkept))


def _working_name(name: str) -> str:
    """What lists call a rule that was never published."""
    return name.strip()[:MOST_NAME] or _("Rule without a name")


def _says_nothing_new(rule: AutomationRule, definition: Definition) -> bool:
    if problems_of(definition, Practice(organization=rule.organization)):
        return False
    return normal(definition) == rule.definition


def _require_no_cycle(rule: AutomationRule, practice: Practice) -> None:
    """RuleCycle if this rule, once active, would be part of a proven one."""
    cycle = cycle_through(rule.definition, practice, besides=rule.pk)
    if cycle is not None:
        words = " → ".join(f"“{name}”" for name in cycle)
        raise errors.RuleCycle(path=cycle, path_words=words)


# --- what is written ----------------------------------------------------------------------------


def _say(rule: AutomationRule, said: Definition) -> None:
    """The columns of a normal definition."""
    for name, value in said.items():
        is_hours = name.endswith("_hours") and value is not None
        setattr(rule, name, Decimal(value) if is_hours else value)


def _begin(rule: AutomationRule, *, also_waiting: bool) -> None:
    """For whom a time-out begins; a flood of reminders needs somebody who asked for it."""
    counts_from_now = rule.trigger_event == TIMEOUT and not also_waiting
    rule.visits_from = timezone.now() if counts_from_now else None


def _place(rule: AutomationRule) -> tuple[str, str, str]:
    return rule.trigger_event, rule.journey_key, rule.stage


def _keep_version(rule: AutomationRule, user: User | None) -> None:
    RuleVersion.objects.create(
        rule=rule, version=rule.version, definition=rule.definition, published_by=user
    )


def _keep_switch(rule: AutomationRule, kind: SwitchKind, user: User | None) -> None:
    RuleSwitch.objects.create(rule=rule, kind=kind, switched_by=user)
