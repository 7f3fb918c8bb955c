"""The admin site. This file lists every registration; nothing registers itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from automation.admin import monitor
from automation.admin.enrollments import EnrollmentWithRulesAdmin
from automation.admin.events import EventAdmin
from automation.admin.messages import MessageAdmin
from automation.admin.moves import MoveAdmin
from automation.admin.rules import RuleAdmin
from automation.admin.runs import RunAdmin
from automation.admin.tasks import TaskAdmin
from automation.models import AutomationRule, Message, RuleRun, StaffTask
from journeys.admin.templates import TemplateAdmin
from journeys.models.enrollment import Enrollment
from journeys.models.event import SystemEventLog
from journeys.models.log import JourneyLog
from journeys.models.template import JourneyTemplate
from kura.accounts.admin import OrganizationAdmin, UserAdmin
from kura.accounts.models import ApiToken, IntegrationKey, Language, Organization, User
from kura.admin import design_system, forgotten, integrity, rule_library
from kura.admin.chart import ChartAdmin
from kura.admin.choosing import ChoosePassword
from kura.admin.desk import desk_of
from kura.admin.door import notices, remind_of_unsent, to_login
from kura.admin.keys import IntegrationKeyAdmin
from kura.admin.language import choose_language, language_before_login
from kura.admin.panel import panel_context
from kura.admin.theme import choose_theme, theme_of
from kura.admin.tokens import ApiTokenAdmin
from patients.models import Patient

# The column of pages: what people work with comes first, each under the heading of its group.
# What is not named here follows, under the heading of its own app.
PAGES = {
    "patients": ("Patient", "StaffTask"),
    "journeys": ("Enrollment", "JourneyLog", "JourneyTemplate"),
    "automation": ("Monitor", "SystemEventLog", "Message", "RuleRun", "AutomationRule"),
    "accounts": ("User", "Organization", "IntegrationKey", "ApiToken"),
}


_View = TypeVar("_View", bound=Callable[..., HttpResponseBase])


class KuraAdminSite(AdminSite):
    site_header = _("Kura OS Journeys")
    site_title = _("Kura OS Journeys")
    index_title = _("Practice")
    final_catch_all_view = False
    empty_value_display = "–"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        language = path("language/", choose_language, name="language")
        theme = path("theme/", choose_theme, name="theme")
        library = self.admin_view(partial(rule_library.library_page, self))
        ready = path("automation/automationrule/library/", library, name=rule_library.NAME)
        look = self.admin_view(partial(monitor.look, self))
        shown = path("automation/monitor/", look, name=monitor.NAME)
        choosing = path(
            "choose-password/<uidb64>/<token>/",
            ChoosePassword.as_view(site=self),
            name="choose_password",
        )
        parts = self.admin_view(partial(design_system.design_system_page, self))
        built_of = path("design-system/", parts, name=design_system.NAME)
        whole = self.admin_view(partial(integrity.look, self))
        explained = path("journeys/unchangeable/", whole, name=integrity.NAME)
        asking = path(
            "forgot-password/", never_cache(partial(forgotten.ask, self)), name=forgotten.NAME
        )
        own = [language, theme, ready, shown, built_of, explained, choosing, asking]
        return [*own, *super().get_urls()]

    def admin_view(self, view: _View, cacheable: bool = False) -> _View:
        """Nobody is sent to the log-in without being told what became of what they sent."""
        inner = super().admin_view(view, cacheable)

        @wraps(view)
        def at_the_door(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if self.has_permission(request) or request.path == reverse("admin:logout"):
                return inner(request, *args, **kwargs)
            return to_login(request)

        return cast("_View", at_the_door)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        organization = getattr(request.user, "organization", None)
        return {
            **super().each_context(request),
            "organization": organization,
            "languages": [(code, code.upper(), label) for code, label in Language.choices],
            "is_demo": settings.DEMO,
            "desk": desk_of(request),
            **theme_of(request),
        }

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        if isinstance(request.user, User) and monitor.may_look(request.user):
            for app in apps:
                if app["app_label"] == "automation":
                    app["models"].append(monitor.navigation_entry())
        return apps if app_label else in_order(apps)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        desk = desk_of(request)
        shown = panel_context(desk) if desk else {}
        return super().index(request, shown | (extra_context or {}))

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """In the language of the cookie or in Spanish, whatever the browser prefers."""
        language = language_before_login(request)
        with translation.override(language):
            extra = {"notices": notices(request)} | (extra_context or {})
            response = super().login(request, extra)
            if isinstance(response, TemplateResponse):
                response.render()
            elif request.method == "POST":
                remind_of_unsent(request)
        response.headers["Content-Language"] = language
        return response


def in_order(apps: list[Any]) -> list[Any]:
    """The groups of PAGES with their pages, then the other apps as they are."""
    pages = {page["object_name"]: page for app in apps for page in app["models"]}
    headings = {app["app_label"]: app for app in apps}
    placed = {name for names in PAGES.values() for name in names}
    groups = [
        headings[label] | {"models": [pages[name] for name in names if name in pages]}
        for label, names in PAGES.items()
        if label in headings
    ]
    rest = [
        app | {"models": [page for page in app["models"] if page["object_name"] not in placed]}
        for app in apps
    ]
    return [group for group in (*groups, *rest) if group["models"]]


site = KuraAdminSite(name="admin")
site.disable_action("delete_selected")
site.register(Patient, ChartAdmin)
site.register(Enrollment, EnrollmentWithRulesAdmin)
site.register(JourneyLog, MoveAdmin)
site.register(SystemEventLog, EventAdmin)
site.register(StaffTask, TaskAdmin)
site.register(Message, MessageAdmin)
site.register(RuleRun, RunAdmin)
site.register(AutomationRule, RuleAdmin)
site.register(JourneyTemplate, TemplateAdmin)
site.register(Organization, OrganizationAdmin)
site.register(User, UserAdmin)
site.register(IntegrationKey, IntegrationKeyAdmin)
site.register(ApiToken, ApiTokenAdmin)
