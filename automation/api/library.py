"""`/rules/library` and `/rules/install`: the ready rules, to look at and to make."""

from __future__ import annotations

from typing import Any

from django.utils import translation
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from automation.actions.base import Practice
from automation.api.rule_shapes import ALSO_WAITING
from automation.errors import ReadyRuleUnfit
from automation.library import READY_RULES, install
from automation.models.rule import AutomationRule
from automation.values import in_language
from journeys.models.template import KEY_PATTERN
from kura.api.fields import Coded, Flag
from kura.api.scopes import JOURNEYS_READ, RULES_WRITE
from kura.api.serializers import Body
from kura.api.versions import fingerprint, versioned
from kura.api.views import ApiView


class ReadyRuleTold(serializers.Serializer[Any]):
    """`definition`: as POST /rules takes it. `rule_id`: of the rule that was made from it."""

    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    journey_key = serializers.CharField()
    is_available = serializers.BooleanField()
    rule_id = serializers.UUIDField(allow_null=True)
    definition = serializers.JSONField()


class Library(serializers.Serializer[Any]):
    results = ReadyRuleTold(many=True)


class LibraryView(ApiView):
    """The ready rules; available are those whose journey the practice has."""

    summaries = {"GET": "List the ready rules"}
    scopes = {"GET": JOURNEYS_READ}
    answers = {"GET": {200: Library}}
    preconditions = {"GET": ("If-None-Match",)}
    cache_control = "private, no-cache"

    def get(self, request: Request) -> Response:
        told = {"results": self._ready()}
        return versioned(request, fingerprint(told), lambda: told)

    def _ready(self) -> list[dict[str, Any]]:
        organization = self.caller.organization
        journeys = Practice(organization=organization).journeys
        rules = AutomationRule.objects.filter(code__isnull=False)
        installed = dict(rules.values_list("code", "pk"))
        language = translation.get_language() or organization.language
        return [
            {
                "code": ready.code,
                "name": in_language(ready.names),
                "description": in_language(ready.descriptions),
                "journey_key": ready.journey_key,
                "is_available": ready.journey_key in journeys,
                "rule_id": installed.get(ready.code),
                "definition": ready.definition(language[:2]),
            }
            for ready in READY_RULES
        ]


class Installation(Body):
    """`journey_keys`: only of these journeys. `also_waiting` as in a rule."""

    journey_keys = serializers.ListField(child=Coded(KEY_PATTERN), required=False, max_length=100)
    also_waiting = Flag(required=False)


class InstalledRule(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()


class Installed(serializers.Serializer[Any]):
    """Those that were made now; a rule that is there, or was archived, is not made again."""

    installed = InstalledRule(many=True)


class InstallView(ApiView):
    """Make the ready rules of the practice's journeys, named in the practice's language."""

    summaries = {"POST": "Install the ready rules"}
    scopes = {"POST": RULES_WRITE}
    bodies = {"POST": Installation}
    answers = {"POST": {200: Installed}}
    refusals = {"POST": (ReadyRuleUnfit,)}

    def post(self, request: Request) -> Response:  # noqa: ARG002
        given = self.body(Installation)
        made = install(
            self.caller.organization,
            given.get("journey_keys"),
            self.caller.user,
            also_waiting=given.get(ALSO_WAITING, False),
        )
        return Response(Installed({"installed": made}).data)
