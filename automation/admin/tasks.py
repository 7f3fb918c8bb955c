"""What people must do, open tasks first, and the page that says that one is done."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from automation import errors
from automation.admin import badges
from automation.admin.links import cause_link, two_lines
from automation.models.staff_task import StaffTask
from automation.services.staff_tasks import COMPLETE, asks_for_a_decision, complete
from journeys.admin import badges as journey_badges
from journeys.admin.enrollments import patient_link
from journeys.admin.why import why_link
from kura.accounts.tenant_admin import KnownChoiceFilter, ReadOnlyAdmin, editor_of, moment

_STATES: Final = {
    "open": (_("To do"), Q(done_at__isnull=True)),
    "done": (_("Done"), Q(done_at__isnull=False)),
}
_WHOSE: Final = (("me", _("For me")), ("nobody", _("For whoever sees it first")))


class TaskStateFilter(KnownChoiceFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return [(name, label) for name, (label, _asked) in _STATES.items()]

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:  # noqa: ARG002
        return rows.filter(_STATES[choice][1])


class WhoseFilter(KnownChoiceFilter):
    title = _("assigned to")
    parameter_name = "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002
        return list(_WHOSE)

    def narrow(self, request: HttpRequest, rows: QuerySet[Any], choice: str) -> QuerySet[Any]:
        return rows.filter(assigned_to=editor_of(request).pk if choice == "me" else None)


class TaskAdmin(ReadOnlyAdmin):
    empty_words = _("There is nothing to do. What automation cannot or must not do appears here.")
    list_display = ("what", "patient_name", "for_whom_and_when", "state_and_way")
    list_display_links = None
    list_filter = (TaskStateFilter, WhoseFilter)
    list_select_related = ("patient", "event", "assigned_to", "done_by")
    fields = ("state", "patient_name", "kind_name", "for_whom", "due", "created", "event_name")
    ordering = (
        F("done_at").desc(nulls_first=True),
        F("due_at").asc(nulls_last=True),
        "created_at",
        "id",
    )
    sortable_by = ()
    change_form_template = "kura/task.html"

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        done = site.admin_view(partial(done_page, site))
        own = path("<uuid:task_id>/done/", done, name="automation_stafftask_done")
        return [own, *super().get_urls()]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        listed = super().get_changelist_instance(request)
        if editor_of(request).has_perm(COMPLETE):
            for row in listed.result_list:
                row.way_to_end = "" if row.done_at else _way_to_end(row)
        return listed

    def title_of(self, obj: StaffTask) -> str:
        return obj.text

    def beside(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        may = obj.done_at is None and editor_of(request).has_perm(COMPLETE)
        return {"done_url": _done_url(obj) if may else ""}

    @admin.display(description=_("task"))
    def what(self, row: StaffTask) -> str:
        url = reverse("admin:automation_stafftask_change", args=[row.pk])
        link = format_html('<a href="{}">{}</a>', url, row.text)
        below = format_html("{} · {}", row.get_kind_display(), moment(row.created_at))
        if row.event_id:
            below = format_html("{} · {}", below, why_link(row.event_id, row.text))
        return two_lines(link, below)

    @admin.display(description=_("state"))
    def state(self, row: StaffTask) -> str:
        badge = journey_badges.html(badges.of_task(row))
        if row.done_at is None:
            return badge
        below = format_html("{} · {}", row.done_by or "–", moment(row.done_at))
        act = ended_by(row)
        return two_lines(badge, format_html("{} · {}", below, act) if act else below)

    @admin.display(description=_("state"))
    def state_and_way(self, row: StaffTask) -> str:
        """For who may end it: the way to the page that does."""
        return two_lines(self.state(row), getattr(row, "way_to_end", ""))

    @admin.display(description=_("assigned to"))
    def for_whom_and_when(self, row: StaffTask) -> str:
        due = format_html("{} {}", gettext("due"), moment(row.due_at)) if row.due_at else ""
        return two_lines(self.for_whom(row), due)

    @admin.display(description=_("patient"))
    def patient_name(self, row: StaffTask) -> str:
        return patient_link(row.patient)

    @admin.display(description=_("why"))
    def kind_name(self, row: StaffTask) -> str:
        return str(row.get_kind_display())

    @admin.display(description=_("assigned to"))
    def for_whom(self, row: StaffTask) -> str:
        return str(row.assigned_to) if row.assigned_to else gettext("Whoever sees it first")

    @admin.display(description=_("due"))
    def due(self, row: StaffTask) -> str:
        return moment(row.due_at)

    @admin.display(description=_("Created"))
    def created(self, row: StaffTask) -> str:
        return moment(row.created_at)

    @admin.display(description=_("event"))
    def event_name(self, row: StaffTask) -> str:
        return cause_link(row.event, row.text)


def _way_to_end(task: StaffTask) -> str:
    """The text again for who hears the links without their rows."""
    return format_html(
        '<a class="button" href="{}">{}<span class="visually-hidden">: {}</span></a>',
        _done_url(task),
        gettext("Mark as done"),
        task.text,
    )


def _done_url(task: StaffTask) -> str:
    return reverse("admin:automation_stafftask_done", args=[task.pk])


def ended_by(task: StaffTask) -> str:
    """The act that made it untrue, with the way to where it is written; "" if somebody ended it."""
    if task.ended_by_move_id:
        url = reverse("admin:journeys_journeylog_change", args=[task.ended_by_move_id])
        return format_html('<a href="{}">{}</a>', url, gettext("by lifting the block"))
    if task.ended_by_review_id and task.patient_id:
        url = reverse("admin:patients_patient_change", args=[task.patient_id])
        return format_html('<a href="{}">{}</a>', url, gettext("by reviewing the block"))
    return ""


# --- the page that says it is done ----------------------------------------------------------------


def done_page(site: AdminSite, request: HttpRequest, task_id: uuid.UUID) -> HttpResponse:
    """GET asks, POST does. A click that was sent twice is answered twice the same.

    A task about a failed event leads to that event: deciding there ends it.
    """
    editor = editor_of(request)
    if not editor.has_perm(COMPLETE):
        raise PermissionDenied(str(errors.TaskNotPermitted()))
    task = _load(task_id)
    if task.done_at is None and asks_for_a_decision(task):
        messages.warning(request, str(errors.EventUndecided()))
        return redirect("admin:journeys_systemeventlog_change", task.event_id)
    common = {**site.each_context(request), "task": task}
    if request.method != "POST" and task.done_at is None:
        return render(request, "kura/task_done.html", common | {"title": gettext("Mark as done")})
    try:
        complete(task_id=task_id, user=editor)
    except errors.TaskDone as refusal:
        words = {"title": gettext("Nothing was changed"), "sentence": str(refusal)}
        return render(request, "kura/task_conflict.html", common | words, status=409)
    messages.success(request, gettext("The task is done."))
    return redirect("admin:automation_stafftask_changelist")


def _load(task_id: uuid.UUID) -> StaffTask:
    tasks = StaffTask.objects.select_related("patient", "event", "done_by")
    return get_object_or_404(tasks, pk=task_id)
