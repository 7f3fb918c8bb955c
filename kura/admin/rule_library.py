"""The library: ready rules, alone or as a whole package with their journey, told in words first.

A package is an archetype: its journey and the rules that belong to it. What is installed runs at
once, so each rule says in words what it does before; time limits count for whoever enters the
stage from then on. What is there already is never touched.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from automation import errors
from automation.actions.base import Practice
from automation.admin.rule_draft import organization_of
from automation.admin.rule_pages import ADD, editor_who_may
from automation.library import READY_RULES, install
from automation.models.rule import AutomationRule
from automation.ready import ReadyRule
from automation.sentences import RuleWords, words_of_rule
from automation.values import in_language
from journeys.blueprints import Blueprint
from journeys.models.template import StageStatus
from journeys.selectors.definitions import Definition, Stage
from journeys.services.templates import create_template
from kura.accounts.models import Organization, User
from kura.demo.archetypes import ARCHETYPES

NAME = "automation_automationrule_library"
ADD_JOURNEY = "journeys.add_journeytemplate"


@dataclass(frozen=True, kw_only=True)
class WithArchetypes(Practice):
    """The practice as if it had every archetype: to tell a rule before its journey is there."""

    @cached_property
    def journeys(self) -> dict[str, Definition]:
        ready = {one.key: _as_definition(one, self.organization) for one in ARCHETYPES}
        return ready | self.own

    @cached_property
    def own(self) -> dict[str, Definition]:
        return Practice(organization=self.organization).journeys

    @cached_property
    def blocking(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (key, stage.code)
            for key, journey in self.journeys.items()
            for stage in journey.allowed.values()
            if stage.is_blocking
        )


def _as_definition(blueprint: Blueprint, organization: Organization) -> Definition:
    return Definition(
        template_id=uuid.UUID(int=0),
        organization_id=organization.pk,
        key=blueprint.key,
        name=blueprint.name,
        initial_stage=blueprint.initial_stage,
        is_active=True,
        version=0,
        stages={
            one.code: Stage(
                code=one.code,
                position=place,
                status=StageStatus(one.status),
                label_es=one.label_es,
                label_en=one.label_en,
                whose_turn=one.whose_turn,
                help_es=one.help_es,
                help_en=one.help_en,
                retired=False,
            )
            for place, one in enumerate(blueprint.stages)
        },
        moves=(),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One ready rule. `rule`: what was made from it, archived or not."""

    ready: ReadyRule
    name: str
    description: str
    words: RuleWords
    rule: AutomationRule | None

    @property
    def url(self) -> str:
        rule = self.rule
        return reverse("admin:automation_automationrule_change", args=[rule.pk]) if rule else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """`is_here`: the practice has the journey."""

    key: str
    name: str
    stages: int
    is_here: bool
    offers: tuple[Offer, ...]

    @property
    def missing(self) -> int:
        return sum(offer.rule is None for offer in self.offers)


def library_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    editor = editor_who_may(request, ADD)
    organization = organization_of(editor)
    problem = ""
    if request.method == "POST":
        try:
            return _installed(request, editor, organization)
        except (errors.ReadyRuleUnfit, errors.RuleCycle) as refusal:
            problem = str(refusal)
    context = {
        "title": _("Ready rules"),
        "packages": list(_packages(organization)),
        "may_add_journeys": editor.has_perm(ADD_JOURNEY),
        "problem": problem,
    }
    return render(request, "kura/rule_library.html", {**site.each_context(request), **context})


def _packages(organization: Organization) -> Iterator[Package]:
    """Two queries for journeys, one for rules."""
    practice = WithArchetypes(organization=organization)
    rules = AutomationRule.objects.filter(organization=organization, code__isnull=False)
    made = {str(rule.code): rule for rule in rules}
    for archetype in ARCHETYPES:
        journey = practice.own.get(archetype.key)
        yield Package(
            key=archetype.key,
            name=journey.name if journey else archetype.name,
            stages=len(archetype.stages),
            is_here=journey is not None,
            offers=tuple(
                _offer(ready, made, practice)
                for ready in READY_RULES
                if ready.journey_key == archetype.key
            ),
        )


def _offer(ready: ReadyRule, made: Mapping[str, AutomationRule], practice: Practice) -> Offer:
    definition = ready.definition(get_language() or practice.organization.language)
    return Offer(
        ready=ready,
        name=in_language(ready.names),
        description=in_language(ready.descriptions),
        words=words_of_rule(definition, practice),
        rule=made.get(ready.code),
    )


# --- installing ---------------------------------------------------------------------------------


@transaction.atomic
def _installed(request: HttpRequest, editor: User, organization: Organization) -> HttpResponse:
    kind, _colon, name = request.POST.get("act", "").partition(":")
    if kind == "package":
        _require_journey(name, editor, organization)
        made = install(organization, [name], editor)
    else:
        made = install(organization, None, editor, codes=[name])
    words = ngettext(
        "%(number)s rule is installed and switched on.",
        "%(number)s rules are installed and switched on.",
        len(made),
    )
    messages.success(
        request,
        words % {"number": len(made)} if made else _("Nothing was missing: all of it is there."),
    )
    return redirect(f"admin:{NAME}")


def _require_journey(key: str, editor: User, organization: Organization) -> None:
    """A package brings its journey along, if the practice has none of that key."""
    found: dict[str, Any] = {one.key: one for one in ARCHETYPES}
    if key not in found or key in Practice(organization=organization).journeys:
        return
    if not editor.has_perm(ADD_JOURNEY):
        raise PermissionDenied
    create_template(organization=organization, blueprint=found[key])
