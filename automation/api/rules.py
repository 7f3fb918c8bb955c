"""`/rules`: written as data, published in versions, switched on and off, and archived.

A write is one transaction that holds the organization's rules from the first look on: what If-Match
was compared with is what is changed. The tag of a rule is its version and the moment of its last
change, because a draft and the switch change a rule without a new version.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from automation.actions.base import Practice
from automation.api.rule_shapes import (
    ALSO_WAITING,
    ChangedRule,
    ExpandQuery,
    Publication,
    Rule,
    RulesQuery,
    RuleWords,
    WrittenRule,
    problems_at,
)
from automation.errors import NoDraft, RuleArchived, RuleCycle, RuleNotFound
from automation.judging import TIMEOUT
from automation.models.rule import DEFINITION, AutomationRule
from automation.selectors.stale import people_waiting
from automation.sentences import words_of_rule
from automation.services.rules import (
    archive,
    create_rule,
    discard_draft,
    hold_rules,
    publish,
    save_draft,
    set_active,
)
from kura.api.pagination import Ordering, page_of
from kura.api.scopes import JOURNEYS_READ, RULES_WRITE
from kura.api.versions import etag, fingerprint, require_current, versioned
from kura.api.views import ApiView, no_content

BY_PRIORITY: Final = Ordering("priority")  # as the engine asks them


def tag_of(rule: AutomationRule) -> str:
    return f"{rule.version}.{rule.updated_at:%Y%m%d%H%M%S%f}"


class RulesView(ApiView):
    summaries = {"GET": "List rules", "POST": "Create a rule"}
    scopes = {"GET": JOURNEYS_READ, "POST": RULES_WRITE}
    queries = {"GET": RulesQuery}
    bodies = {"POST": WrittenRule}
    answers = {"GET": {200: page_of(Rule)}, "POST": {201: Rule}}
    located = ("POST",)
    refusals = {"POST": (RuleCycle,)}
    preconditions = {"GET": ("If-None-Match",)}
    cache_control = "private, no-cache"

    def get(self, request: Request) -> Response:
        page = BY_PRIORITY.page(request, _chosen(self.query), self.query, self._told)
        links = [page.data[name] is None for name in ("next", "previous")]  # signed anew each time
        return versioned(request, fingerprint([page.data["results"], links]), lambda: page.data)

    def _told(self, rules: list[AutomationRule]) -> list[dict[str, Any]]:
        return shown(rules, self.query, Practice(organization=self.caller.organization))

    def post(self, request: Request) -> Response:  # noqa: ARG002
        given = self.body(WrittenRule)
        with problems_at(""):
            rule = create_rule(
                organization=self.caller.organization,
                definition=_definition_in(given),
                user=self.caller.user,
                is_active=given.get("is_active", True),
                also_waiting=given.get(ALSO_WAITING, False),
            )
        response = written(rule, status=201)
        response.headers["Location"] = reverse("api-rule", args=[rule.pk])
        return response


class RuleView(ApiView):
    summaries = {
        "GET": "Read a rule",
        "PUT": "Replace a rule",
        "PATCH": "Change a rule",
        "DELETE": "Archive a rule",
    }
    scopes = {
        "GET": JOURNEYS_READ, "PUT": RULES_WRITE, "PATCH": RULES_WRITE, "DELETE": RULES_WRITE,
    }  # fmt: skip
    queries = {"GET": ExpandQuery}
    bodies = {"PUT": WrittenRule, "PATCH": ChangedRule}
    answers = {
        "GET": {200: Rule}, "PUT": {200: Rule}, "PATCH": {200: Rule}, "DELETE": {204: None},
    }  # fmt: skip
    refusals = {
        "PUT": (RuleCycle, RuleArchived),
        "PATCH": (RuleCycle, RuleArchived),
    }
    preconditions = {
        "GET": ("If-None-Match",), "PUT": ("If-Match",), "PATCH": ("If-Match",),
        "DELETE": ("If-Match",),
    }  # fmt: skip
    cache_control = "private, no-cache"

    def get(self, request: Request, rule_id: uuid.UUID) -> Response:
        rule = found(rule_id)
        practice = Practice(organization=self.caller.organization)
        if "expand" in self.query:  # words change with names and languages, the tag does not
            [told] = shown([rule], self.query, practice)
            return Response(told, headers={"ETag": etag(tag_of(rule))})
        return versioned(request, tag_of(rule), lambda: shown([rule], self.query, practice)[0])

    def put(self, request: Request, rule_id: uuid.UUID) -> Response:
        """What is sent is the next version, whole. The draft stays."""
        given = self.body(WrittenRule)
        with changing(request, rule_id) as rule, problems_at(""):
            return written(self._changed(rule, _definition_in(given), given))

    def patch(self, request: Request, rule_id: uuid.UUID) -> Response:
        """Members of the definition are published; `is_active` and `draft` change by themselves."""
        given = self.body(ChangedRule)
        _require_effect(given)
        with changing(request, rule_id) as held:
            rule = _drafted(held, given["draft"]) if "draft" in given else held
            named = _definition_in(given)
            whole = {**rule.definition, **named} if named else None
            with problems_at(""):
                return written(self._changed(rule, whole, given))

    def delete(self, request: Request, rule_id: uuid.UUID) -> Response:
        """It listens no more, and stays in the history. Archived again: as before."""
        with changing(request, rule_id) as rule:
            if rule.archived_at is None:
                archive(rule_id=rule.pk, user=self.caller.user)
        return no_content()

    def _changed(
        self, rule: AutomationRule, definition: Mapping[str, Any] | None, given: Mapping[str, Any]
    ) -> AutomationRule:
        """Off comes before the new version and on after it: what is off may be in a cycle."""
        wanted = given.get("is_active")
        if wanted is False:
            rule = self._switched(rule, given)
        if definition is not None:
            rule = self._published(rule, definition, given)
        return self._switched(rule, given) if wanted is True else rule

    def _switched(self, rule: AutomationRule, given: Mapping[str, Any]) -> AutomationRule:
        return set_active(
            rule_id=rule.pk,
            is_active=given["is_active"],
            user=self.caller.user,
            also_waiting=given.get(ALSO_WAITING, False),
        )

    def _published(
        self, rule: AutomationRule, definition: Mapping[str, Any], given: Mapping[str, Any]
    ) -> AutomationRule:
        draft = rule.draft
        rule = publish(
            rule_id=rule.pk,
            user=self.caller.user,
            expected_version=rule.version,
            definition=definition,
            also_waiting=given.get(ALSO_WAITING),
        )
        return rule if draft is None else save_draft(rule_id=rule.pk, definition=draft)


class PublishView(ApiView):
    """The draft becomes the next version."""

    summaries = {"POST": "Publish a rule's draft"}
    scopes = {"POST": RULES_WRITE}
    bodies = {"POST": Publication}
    answers = {"POST": {200: Rule}}
    refusals = {"POST": (NoDraft, RuleCycle, RuleArchived)}
    preconditions = {"POST": ("If-Match",)}

    def post(self, request: Request, rule_id: uuid.UUID) -> Response:
        given = self.body(Publication)
        with changing(request, rule_id) as rule, problems_at("/draft"):
            published = publish(
                rule_id=rule.pk,
                user=self.caller.user,
                expected_version=rule.version,
                also_waiting=given.get(ALSO_WAITING),
            )
            return written(published)


# --- reading --------------------------------------------------------------------------------------


def found(rule_id: uuid.UUID) -> AutomationRule:
    rule = AutomationRule.objects.select_related("organization").filter(pk=rule_id).first()
    if rule is None:
        raise RuleNotFound
    return rule


def shown(
    rules: Sequence[AutomationRule], query: Mapping[str, Any], practice: Practice
) -> list[dict[str, Any]]:
    told = [_as_json(rule) for rule in rules]
    if "expand" in query:
        for rule, one in zip(rules, told, strict=True):
            one["words"] = RuleWords(words_of_rule(rule.definition, practice)).data
    return told


def _as_json(rule: AutomationRule) -> dict[str, Any]:
    return dict(Rule(rule).data)


def _chosen(query: Any) -> QuerySet[AutomationRule]:
    names = ("trigger_event", "journey_key", "is_active")
    chosen = {name: query[name] for name in names if name in query}
    rules = AutomationRule.objects.filter(archived_at__isnull=not query["is_archived"])
    return rules.filter(**chosen)


# --- writing --------------------------------------------------------------------------------------


@contextmanager
def changing(request: Request, rule_id: uuid.UUID) -> Iterator[AutomationRule]:
    """The rule as nobody else can change it now. RuleNotFound, StaleWrite, PreconditionRequired."""
    with transaction.atomic():
        hold_rules(found(rule_id).organization_id)
        rule = found(rule_id)
        require_current(request, tag_of(rule))
        yield rule


def written(rule: AutomationRule, *, status: int = 200) -> Response:
    told = _as_json(rule)
    waiting = waiting_for(rule.organization_id, rule.definition)
    if waiting is not None:
        told["waiting"] = waiting
    return Response(told, status=status, headers={"ETag": etag(tag_of(rule))})


def waiting_for(organization_id: uuid.UUID, definition: Mapping[str, Any]) -> int | None:
    """None for a rule that is no time-out."""
    if definition["trigger_event"] != TIMEOUT:
        return None
    return people_waiting(organization_id, definition, now=timezone.now())


def _drafted(rule: AutomationRule, draft: Any) -> AutomationRule:
    with problems_at("/draft"):
        if draft is None:
            return discard_draft(rule_id=rule.pk)
        return save_draft(rule_id=rule.pk, definition=draft)


def _definition_in(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in DEFINITION if name in given}


def _require_effect(given: Mapping[str, Any]) -> None:
    """A draft that is published at once is none, and nobody begins to be reminded of nothing."""
    named = set(_definition_in(given))
    if "draft" in given and named:
        words = _("Change the draft or the rule, not both at once.")
        raise ValidationError({"draft": [ErrorDetail(words, code="invalid")]})
    if ALSO_WAITING in given and not named and not given.get("is_active"):
        words = _("This goes with a change of the rule, or with switching it on.")
        raise ValidationError({ALSO_WAITING: [ErrorDetail(words, code="invalid")]})
