"""The other pages about a template: clone, switch on or off, export, import.

Each says first what will happen. An import is two steps: the file is read and compared, then the
same text is read and compared again when it is applied, so that nothing is trusted in between.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from journeys import errors
from journeys.admin.picture import picture_of
from journeys.admin.template_editor import Desk, desk_of, note_edit
from journeys.admin.template_forms import CloneForm, ImportForm
from journeys.blueprint_files import MAX_BYTES, read, written
from journeys.blueprints import Blueprint
from journeys.comparison import changes_between
from journeys.models.enrollment import Enrollment
from journeys.models.template import JourneyTemplate
from journeys.review import Review, review
from journeys.services.templates import clone_template, create_template, edit_template, set_active
from kura.accounts.models import Organization
from kura.accounts.tenant_admin import editor_of
from kura.errors import KuraError

JSON = "application/json; charset=utf-8"


# --- clone ------------------------------------------------------------------------------------


def clone_page(
    admin: ModelAdmin[Any], request: HttpRequest, template_id: uuid.UUID
) -> HttpResponse:
    desk = desk_of(admin, request, template_id)
    suggested = {
        "name": _("%(journey)s (copy)") % {"journey": desk.template.name},
        "key": f"{desk.template.key[:55]}_copy",
    }
    form = CloneForm(request.POST if request.method == "POST" else None, initial=suggested)
    if form.is_bound and form.is_valid():
        try:
            copy = clone_template(template_id=template_id, **form.cleaned_data)
        except errors.TemplateKeyTaken as refusal:
            form.add_error("key", str(refusal))
        except KuraError as refusal:
            form.add_error(None, str(refusal))
        else:
            return _cloned(desk, copy)
    title = _("Clone %(journey)s") % {"journey": desk.template.name}
    return _render(desk, "kura/template_clone.html", {"title": title, "form": form})


def _cloned(desk: Desk, copy: JourneyTemplate) -> HttpResponse:
    note = _("Cloned from “%(journey)s”.") % {"journey": desk.template.name}
    desk.admin.log_addition(desk.request, copy, note)
    words = _("“%(journey)s” is made. It is inactive until you switch it on.")
    messages.success(desk.request, words % {"journey": copy.name})
    return redirect("admin:journeys_journeytemplate_edit", copy.pk)


# --- on and off -------------------------------------------------------------------------------


def switch_page(
    admin: ModelAdmin[Any], request: HttpRequest, template_id: uuid.UUID
) -> HttpResponse:
    """POST says which state it wants, so that a click sent twice does not switch back."""
    desk = desk_of(admin, request, template_id)
    wanted = request.POST.get("to")
    if request.method == "POST" and wanted in {"on", "off"}:
        return _switched(desk, is_active=wanted == "on")
    under_way = Enrollment.objects.filter(template=desk.template, closed_at=None).count()
    words = _("Switch off %(journey)s") if desk.template.is_active else _("Switch on %(journey)s")
    context = {"title": words % {"journey": desk.template.name}, "under_way": under_way}
    return _render(desk, "kura/template_switch.html", context)


def _switched(desk: Desk, *, is_active: bool) -> HttpResponse:
    template = set_active(template_id=desk.template.pk, is_active=is_active)
    if is_active != desk.template.is_active:
        note = _("Switched on.") if is_active else _("Switched off.")
        note_edit(desk.admin, desk.request, template, [note])
    words = (
        _("“%(journey)s” is active: it takes patients.")
        if is_active
        else _("“%(journey)s” is inactive: it takes no new patients.")
    )
    messages.success(desk.request, words % {"journey": template.name})
    return redirect(desk.url)


# --- export -----------------------------------------------------------------------------------


def export_file(
    admin: ModelAdmin[Any], request: HttpRequest, template_id: uuid.UUID
) -> HttpResponse:
    desk = desk_of(admin, request, template_id)
    name = f"{desk.before.key}-v{desk.definition.version}.json"
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(written(desk.before), content_type=JSON, headers=disposition)


# --- import -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """A file that could be read, beside the template of its key if there is one."""

    text: str
    blueprint: Blueprint
    desk: Desk | None
    review: Review

    @property
    def changes(self) -> list[str]:
        return changes_between(self.desk.before, self.blueprint) if self.desk else []

    @property
    def version(self) -> int:
        return self.desk.definition.version if self.desk else 0


def import_page(admin: ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    organization = editor_of(request).organization
    allowed = admin.has_add_permission(request) and admin.has_change_permission(request)
    if organization is None or not allowed:
        raise PermissionDenied(_("Ask a manager of your practice: only managers edit templates."))
    posted = request.method == "POST"
    form = ImportForm(request.POST, request.FILES) if posted else ImportForm()
    try:
        if posted and "document" in request.POST:
            return _apply(admin, request, _import(admin, request, organization, _again(request)))
        if posted and form.is_valid():
            content = form.cleaned_data["file"].read(MAX_BYTES + 1)
            return _preview(admin, request, _import(admin, request, organization, content))
    except errors.InvalidTemplateFile as refusal:
        form = ImportForm()
        return _ask(admin, request, form, refusal.context["problems"])
    return _ask(admin, request, form, [])


def _again(request: HttpRequest) -> bytes:
    """The text of the preview; a form sends line breaks as CRLF, which JSON does not mind."""
    return str(request.POST["document"]).replace("\r", "").encode("utf-8", "replace")


def _import(
    admin: ModelAdmin[Any], request: HttpRequest, organization: Organization, content: bytes
) -> Import:
    wanted = read(content)
    template = JourneyTemplate.objects.filter(organization=organization, key=wanted.key).first()
    desk = Desk(admin, request, template) if template else None
    is_active = desk.before.is_active if desk else False
    blueprint = replace(wanted, is_active=is_active, endless=True)
    before, usage = (desk.before, desk.usage) if desk else (None, None)
    found = review(blueprint, before=before, usage=usage)
    return Import(content.decode("utf-8-sig"), blueprint, desk, found)


def _ask(
    admin: ModelAdmin[Any], request: HttpRequest, form: ImportForm, problems: list[str]
) -> HttpResponse:
    context = {"title": _("Import a template"), "form": form, "problems": problems}
    return _page(admin, request, "kura/template_import.html", context)


def _preview(
    admin: ModelAdmin[Any],
    request: HttpRequest,
    found: Import,
    refusals: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "title": _("Import “%(journey)s”") % {"journey": found.blueprint.name},
        "found": found,
        "journey": found.blueprint.name,
        "problems": [*found.review.problems, *(refusals or [])],
        "picture": None if found.review.problems else picture_of(found.blueprint, _("Enrollment")),
        "has_moves": bool(found.blueprint.moves),
    }
    return _page(admin, request, "kura/template_import_preview.html", context, status)


def _apply(admin: ModelAdmin[Any], request: HttpRequest, found: Import) -> HttpResponse:
    if request.POST.get("version") != str(found.version):
        return _conflict(admin, request, found)
    confirmed = not found.review.cautions or request.POST.get("confirmed") == found.review.seal
    if found.review.problems or not confirmed:
        return _preview(admin, request, found)
    try:
        template = _write(request, found)
    except (errors.TemplateChanged, errors.TemplateKeyTaken):
        return _conflict(admin, request, found)
    except KuraError as refusal:
        return _preview(admin, request, found, [str(refusal)])
    return _imported(admin, request, found, template)


def _conflict(admin: ModelAdmin[Any], request: HttpRequest, found: Import) -> HttpResponse:
    """What the file would change now; the same click sent twice finds nothing left to change."""
    if found.desk and not found.changes:
        return _imported(admin, request, found, found.desk.template)
    return _preview(admin, request, found, [str(errors.TemplateChanged())], status=409)


def _write(request: HttpRequest, found: Import) -> JourneyTemplate:
    if found.desk:
        return edit_template(
            template_id=found.desk.template.pk,
            blueprint=found.blueprint,
            expected_version=found.version,
        )
    organization = editor_of(request).organization
    assert organization is not None  # noqa: S101  `import_page` asked
    return create_template(organization=organization, blueprint=found.blueprint)


def _imported(
    admin: ModelAdmin[Any], request: HttpRequest, found: Import, template: JourneyTemplate
) -> HttpResponse:
    if found.desk is None:
        admin.log_addition(request, template, _("Imported from a file."))
        words = _("“%(journey)s” is made. It is inactive until you switch it on.")
    else:
        note_edit(admin, request, template, [_("Imported from a file."), *found.changes])
        words = _("“%(journey)s” is saved: version %(version)s.")
    messages.success(request, words % {"journey": template.name, "version": template.version})
    return redirect("admin:journeys_journeytemplate_change", template.pk)


# --- pages ------------------------------------------------------------------------------------


def _render(desk: Desk, page: str, context: dict[str, Any]) -> HttpResponse:
    common = {
        "template": desk.template,
        "journey": desk.template.name,
        "template_url": desk.url,
    }
    return _page(desk.admin, desk.request, page, {**common, **context})


def _page(
    admin: ModelAdmin[Any],
    request: HttpRequest,
    page: str,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    everything = {**admin.admin_site.each_context(request), "opts": admin.opts, **context}
    return render(request, page, everything, status=status)
