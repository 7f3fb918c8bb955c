"""`/journey-templates`: the blueprints of a practice's journeys (Spec 2.2)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from journeys import errors
from journeys.api.moves import LONGEST
from journeys.api.templates import (
    NewTemplate,
    TemplateChange,
    changed,
    known_stages,
    new_blueprint,
)
from journeys.models.enrollment import Enrollment
from journeys.models.template import JourneyTemplate, StageStatus, Turn
from journeys.selectors.blueprints import blueprint_of
from journeys.selectors.definitions import Definition, Move, Stage, definitions
from journeys.services.templates import create_template, edit_template, set_active
from kura.api.fields import QueryFlag
from kura.api.pagination import Ordering, PageQuery, page_of
from kura.api.scopes import JOURNEYS_READ, TEMPLATES_WRITE
from kura.api.versions import etag, require_current, versioned
from kura.api.views import ApiView
from kura.standing.facts import OPEN
from kura.standing.limits import Limits, limits_at

BY_KEY: Final = Ordering("key")
HOUR: Final = timedelta(hours=1)


class TemplateStage(serializers.Serializer[Any]):
    """`max_hours`: how long it may last, as the active rules say; null without a limit."""

    code = serializers.CharField(source="stage.code")
    label = serializers.CharField(  # type: ignore[assignment]  # a member of this name
        source="stage.label"
    )
    label_es = serializers.CharField(source="stage.label_es")
    label_en = serializers.CharField(source="stage.label_en")
    status = serializers.ChoiceField(choices=StageStatus.values, source="stage.status")
    whose_turn = serializers.ChoiceField(choices=Turn.values, source="stage.whose_turn")
    help_es = serializers.CharField(source="stage.help_es")
    help_en = serializers.CharField(source="stage.help_en")
    blocking = serializers.BooleanField(source="stage.is_blocking")
    terminal = serializers.BooleanField(source="stage.is_closed")
    max_hours = serializers.FloatField(allow_null=True)


class TemplateTransition(serializers.Serializer[Any]):
    """`from` null is enrollment."""

    to = serializers.CharField(source="to_stage")
    guard = serializers.DictField()
    requires_reason = serializers.BooleanField()
    permission = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is no name in Python."""
        start = serializers.CharField(source="from_stage", allow_null=True)
        return {"from": start, **super().get_fields()}


@dataclass(frozen=True, slots=True)
class TimedStage:
    stage: Stage
    max_hours: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateInUse:
    """A definition, its stages with their limits, and how many patients are in it now."""

    definition: Definition
    stages: Sequence[TimedStage]
    active_journeys: int

    @property
    def moves(self) -> Sequence[Move] | None:
        return self.definition.moves or None


class Template(serializers.Serializer[Any]):
    """`transitions` null: every move between two stages is allowed."""

    id = serializers.UUIDField(source="definition.template_id")
    key = serializers.CharField(source="definition.key")
    name = serializers.CharField(source="definition.name")
    allowed_stages = serializers.ListField(
        source="definition.allowed", child=serializers.CharField()
    )
    initial_stage = serializers.CharField(source="definition.initial_stage")
    is_active = serializers.BooleanField(source="definition.is_active")
    stages = TemplateStage(many=True)
    transitions = TemplateTransition(source="moves", many=True, allow_null=True)
    version = serializers.IntegerField(source="definition.version")
    active_journeys = serializers.IntegerField()


class TemplatesQuery(PageQuery):
    is_active = QueryFlag(required=False)
    key = serializers.CharField(required=False, max_length=LONGEST)


class TemplatesView(ApiView):
    summaries = {"GET": "List journey templates", "POST": "Create a journey template"}
    scopes = {"GET": JOURNEYS_READ, "POST": TEMPLATES_WRITE}
    queries = {"GET": TemplatesQuery}
    bodies = {"POST": NewTemplate}
    answers = {"GET": {200: page_of(Template)}, "POST": {201: Template}}
    located = ("POST",)
    preconditions = {"GET": ("If-None-Match",)}
    refusals = {"POST": (errors.InvalidTemplate, errors.TemplateKeyTaken)}
    cache_control = "private, no-cache"

    def get(self, request: Request) -> Response:
        """The ETag is of the whole answer: somebody enters a journey, and it is another one."""
        asked = {name: self.query[name] for name in ("is_active", "key") if name in self.query}
        page = BY_KEY.page(request, JourneyTemplate.objects.filter(**asked), self.query, _told)
        return versioned(request, digest(page.data), lambda: page.data)

    def post(self, request: Request) -> Response:  # noqa: ARG002
        blueprint = new_blueprint(self.body(NewTemplate))
        organization = self.caller.organization
        template = create_template(organization=organization, blueprint=blueprint)
        where = reverse("api-template", args=[template.key])
        return _answer(template, status=201, headers={"Location": where})


class TemplateView(ApiView):
    """Never 304: how many patients are in it changes without it, and the ETag names its version."""

    summaries = {"GET": "Read a journey template", "PATCH": "Change a journey template"}
    scopes = {"GET": JOURNEYS_READ, "PATCH": TEMPLATES_WRITE}
    bodies = {"PATCH": TemplateChange}
    answers = {"GET": {200: Template}, "PATCH": {200: Template}}
    preconditions = {"PATCH": ("If-Match",)}
    refusals = {
        "GET": (errors.TemplateNotFound,),
        "PATCH": (
            errors.TemplateNotFound,
            errors.InvalidTemplate,
            errors.StageInUse,
            errors.StageInHistory,
            errors.InitialStageMissing,
        ),
    }
    cache_control = "private, no-cache"

    def get(self, request: Request, journey_key: str) -> Response:  # noqa: ARG002
        return _answer(_found(journey_key, JourneyTemplate.objects.all()))

    def patch(self, request: Request, journey_key: str) -> Response:
        """Makes a new version. Who is in a stage that shall go has to be moved first."""
        given = self.body(TemplateChange)
        with transaction.atomic():
            template = _locked(request, journey_key)
            definition = definitions([template.pk])[template.pk]
            present = blueprint_of(definition)
            wanted = changed(present, given, known_stages(definition))
            if wanted != present:
                template = edit_template(template_id=template.pk, blueprint=wanted)
        return _answer(template)


class SwitchView(ApiView):
    """An inactive template takes no new patients; those who are in it go on."""

    scopes = {"POST": TEMPLATES_WRITE}
    answers = {"POST": {200: Template}}
    preconditions = {"POST": ("If-Match",)}
    refusals = {"POST": (errors.TemplateNotFound,)}
    is_active: ClassVar[bool]

    def post(self, request: Request, journey_key: str) -> Response:
        with transaction.atomic():
            template = _locked(request, journey_key)
            if template.is_active != self.is_active:
                template = set_active(template_id=template.pk, is_active=self.is_active)
        return _answer(template)


class ActivateView(SwitchView):
    summaries = {"POST": "Activate a journey template"}
    is_active = True


class DeactivateView(SwitchView):
    summaries = {"POST": "Deactivate a journey template"}
    is_active = False


def _found(journey_key: str, rows: QuerySet[JourneyTemplate]) -> JourneyTemplate:
    """TemplateNotFound."""
    template = rows.filter(key=journey_key).first()
    if template is None:
        raise errors.TemplateNotFound
    return template


def _locked(request: Request, journey_key: str) -> JourneyTemplate:
    """In the version that the caller has looked at. TemplateNotFound, StaleWrite."""
    rows = JourneyTemplate.objects.select_for_update(no_key=True)
    template = _found(journey_key, rows)
    require_current(request, template.version)
    return template


def _answer(
    template: JourneyTemplate, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    [one] = _told([template])
    tagged = {"ETag": etag(one["version"]), **(headers or {})}
    return Response(one, status=status, headers=tagged)


def _told(rows: Sequence[JourneyTemplate]) -> Any:
    return Template(templates([row.pk for row in rows]), many=True).data


def templates(ids: Sequence[uuid.UUID]) -> list[TemplateInUse]:
    """In this order; three queries, however many."""
    known, limits, active = definitions(ids), limits_at(timezone.now()), _active(ids)
    return [
        TemplateInUse(
            definition=known[pk],
            stages=_timed(known[pk], limits),
            active_journeys=active.get(pk, 0),
        )
        for pk in ids
    ]


def _active(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = Enrollment.objects.filter(OPEN, template__in=ids).order_by().values("template")
    return dict(rows.annotate(number=Count("pk")).values_list("template", "number"))


def _timed(definition: Definition, limits: Limits) -> list[TimedStage]:
    return [
        TimedStage(stage, _in_hours(limits.of(definition.template_id, stage.code)))
        for stage in definition.allowed.values()
    ]


def _in_hours(limit: timedelta | None) -> float | None:
    return limit / HOUR if limit else None


def digest(said: Any) -> str:
    """Of an answer that no row's version stands for."""
    text = json.dumps(said, cls=DjangoJSONEncoder, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
