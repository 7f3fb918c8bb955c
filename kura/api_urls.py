"""Every URL of the HTTP API, without a slash at the end. What stands in none of them is 404."""

from __future__ import annotations

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter, UUIDConverter

from automation.api.backtests import BacktestView
from automation.api.decisions import LinkView, ReplayView, RetryView, SkipView
from automation.api.events import EventsView, EventView
from automation.api.library import InstallView, LibraryView
from automation.api.rehearsals import DryRunView, ValidateView
from automation.api.rules import PublishView, RulesView, RuleView
from automation.api.stale import StaleCheckView
from automation.api.traces import TraceView
from automation.api.vocabulary import VocabularyView
from kura.api.describing import DocsView, SchemaView
from kura.api.sessions import CsrfView, LoginView, LogoutView, MeView
from kura.api.tokens import TokensView, TokenView
from kura.api.views import UnknownPath
from kura.standing.api.journeys import PatientJourneysView, PatientJourneyView
from kura.standing.api.logs import LogsView, PatientLogsView, VerifyView
from kura.standing.api.moving import MoveView, UnblockView
from kura.standing.api.patients import PatientsView, PatientView
from kura.standing.api.templates import (
    ActivateView,
    DeactivateView,
    TemplatesView,
    TemplateView,
)
from kura.standing.api.worklist import JourneysView, SummaryView


class IdConverter(UUIDConverter):
    """In capitals too, as some platforms write a UUID and as a body may name it."""

    regex = UUIDConverter.regex.replace("a-f", "A-Fa-f")


class JourneyKeyConverter(StringConverter):
    """What cannot be a key is no path."""

    regex = "[a-z0-9_-]{1,60}"


register_converter(IdConverter, "id")
register_converter(JourneyKeyConverter, "journey_key")

V1 = [
    path("admin/stale-journeys/check", StaleCheckView.as_view(), name="api-stale-check"),
    path("auth/csrf", CsrfView.as_view(), name="api-csrf"),
    path("auth/login", LoginView.as_view(), name="api-login"),
    path("auth/logout", LogoutView.as_view(), name="api-logout"),
    path("auth/me", MeView.as_view(), name="api-me"),
    path("auth/tokens", TokensView.as_view(), name="api-tokens"),
    path("auth/tokens/<id:token_id>", TokenView.as_view(), name="api-token"),
    path("events", EventsView.as_view(), name="api-events"),
    path("events/<id:event_id>", EventView.as_view(), name="api-event"),
    path("patients", PatientsView.as_view(), name="api-patients"),
    path("patients/<id:patient_id>", PatientView.as_view(), name="api-patient"),
    path("patients/<id:patient_id>/journey", MoveView.as_view(), name="api-move"),
    path(
        "patients/<id:patient_id>/journeys",
        PatientJourneysView.as_view(),
        name="api-patient-journeys",
    ),
    path(
        "patients/<id:patient_id>/journeys/<journey_key:journey_key>",
        PatientJourneyView.as_view(),
        name="api-journey",
    ),
    path(
        "patients/<id:patient_id>/journeys/<journey_key:journey_key>/unblock",
        UnblockView.as_view(),
        name="api-unblock",
    ),
    path(
        "patients/<id:patient_id>/journey-logs",
        PatientLogsView.as_view(),
        name="api-patient-logs",
    ),
    path("journey-logs", LogsView.as_view(), name="api-logs"),
    path("journey-logs/verify", VerifyView.as_view(), name="api-logs-verify"),
    path("journeys", JourneysView.as_view(), name="api-journeys"),
    path("journeys/summary", SummaryView.as_view(), name="api-summary"),
    path("journey-templates", TemplatesView.as_view(), name="api-templates"),
    path(
        "journey-templates/<journey_key:journey_key>", TemplateView.as_view(), name="api-template"
    ),
    path(
        "journey-templates/<journey_key:journey_key>/activate",
        ActivateView.as_view(),
        name="api-template-activate",
    ),
    path(
        "journey-templates/<journey_key:journey_key>/deactivate",
        DeactivateView.as_view(),
        name="api-template-deactivate",
    ),
    path("events/<id:event_id>/link", LinkView.as_view(), name="api-event-link"),
    path("events/<id:event_id>/replay", ReplayView.as_view(), name="api-event-replay"),
    path("events/<id:event_id>/retry", RetryView.as_view(), name="api-event-retry"),
    path("events/<id:event_id>/skip", SkipView.as_view(), name="api-event-skip"),
    path("events/<id:event_id>/trace", TraceView.as_view(), name="api-event-trace"),
    path("rules", RulesView.as_view(), name="api-rules"),
    path("rules/<id:rule_id>", RuleView.as_view(), name="api-rule"),
    path("rules/<id:rule_id>/backtest", BacktestView.as_view(), name="api-rule-backtest"),
    path("rules/<id:rule_id>/publish", PublishView.as_view(), name="api-rule-publish"),
    path("rules/dry-run", DryRunView.as_view(), name="api-rules-dry-run"),
    path("rules/install", InstallView.as_view(), name="api-rules-install"),
    path("rules/library", LibraryView.as_view(), name="api-rules-library"),
    path("rules/validate", ValidateView.as_view(), name="api-rules-validate"),
    path("rules/vocabulary", VocabularyView.as_view(), name="api-rules-vocabulary"),
]

urlpatterns = [
    path("api/v1/", include(V1)),
    path("api/schema", SchemaView.as_view(), name="api-schema"),
    path("api/docs", DocsView.as_view(), name="api-docs"),
    re_path(r"^api(/.*)?$", UnknownPath.as_view()),
]
