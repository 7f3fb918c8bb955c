"""What the pages of keys and of tokens share: the form, the text shown once, the confirmation.

A text is in the answer that made it, which no browser may keep, and nowhere else: in no session, no
message, no URL and no log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.timezone import localdate, make_aware
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from journeys.admin.badges import Badge
from kura.api.scopes import WORDS, in_words


class CredentialForm(forms.Form):
    """`offered`: the scopes there are to choose from. `longest`: days; None: it need not expire."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("Of the program that will use it, so that you know it again."),
        max_length=50,
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one.")},
    )
    expires_on = forms.DateField(
        label=gettext_lazy("Valid until the end of"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
    )

    def __init__(
        self,
        *args: Any,
        offered: Iterable[str],
        taken: QuerySet[Any],
        longest: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        known = frozenset(offered)
        scopes, expires_on = self.fields["scopes"], self.fields["expires_on"]
        if isinstance(scopes, forms.ChoiceField):
            scopes.choices = [(one, WORDS[one]) for one in WORDS if one in known]
        self.taken, self.longest = taken, longest
        expires_on.required = longest is not None
        expires_on.help_text = self._help()

    def _help(self) -> str:
        if self.longest is None:
            return _("Leave it empty to let it last until it is revoked.")
        return _("At most a year from today.")

    def clean_name(self) -> str:
        """Two of one name could not be told apart; and a form sent twice makes one."""
        name: str = self.cleaned_data["name"]
        if self.taken.filter(name=name).exists():
            raise ValidationError(_("This name is in use already. Choose another one."))
        return name

    def clean_expires_on(self) -> date | None:
        day: date | None = self.cleaned_data["expires_on"]
        today = localdate()
        if day is not None and day < today:
            raise ValidationError(_("This day has passed."))
        if day and self.longest is not None and day > today + timedelta(days=self.longest):
            raise ValidationError(_("At most a year from today."))
        return day

    @property
    def expires_at(self) -> datetime | None:
        """When the chosen day ends, on the practice's clock."""
        day: date | None = self.cleaned_data["expires_on"]
        return make_aware(datetime.combine(day, time.max)) if day else None


PAGE: Final = "admin:accounts_{model}_{verb}"


def url(admin: ModelAdmin[Any], verb: str, *args: object) -> str:
    return reverse(PAGE.format(model=admin.opts.model_name, verb=verb), args=args)


def form_page(
    admin: ModelAdmin[Any], request: HttpRequest, form: CredentialForm, *, title: str, lead: str
) -> HttpResponse:
    context = _context(admin, request, title) | {"form": form, "lead": lead}
    return render(request, "kura/credential_new.html", context)


def show_once(
    admin: ModelAdmin[Any], request: HttpRequest, made: Any, text: str, scopes: Iterable[str]
) -> HttpResponse:
    admin.log_addition(request, made, [{"added": {}}])
    context = _context(admin, request, _("Copy it now: %(name)s") % {"name": made.name})
    shown = {"made": made, "text": text, "scopes": in_words(scopes)}
    return render(request, "kura/credential_made.html", context | shown)


def ask_to_revoke(
    admin: ModelAdmin[Any], request: HttpRequest, one: Any, *, facts: Sequence[tuple[str, str]]
) -> HttpResponse:
    context = _context(admin, request, _("Revoke: %(name)s") % {"name": one.name})
    return render(request, "kura/credential_revoke.html", context | {"facts": facts})


def _context(admin: ModelAdmin[Any], request: HttpRequest, title: str) -> dict[str, Any]:
    return {
        **admin.admin_site.each_context(request),
        "title": title,
        "opts": admin.opts,
        "list_url": url(admin, "changelist"),
    }


# --- cells --------------------------------------------------------------------------------------


def begins(shown: str) -> str:
    return f"{shown}…"


def lines(words: Iterable[str]) -> str:
    return format_html_join("", '<span class="one-scope">{}</span>', ((one,) for one in words))


def labelled(label: str, value: str) -> str:
    """On a telephone a row is a card without headings, so the cell says what it is."""
    return format_html('<span class="only-narrow">{}: </span>{}', capfirst(label), value)


def moment_or(value: datetime | None, otherwise: str) -> str:
    return date_format(timezone.localtime(value), "MOMENT") if value else otherwise


def state_of(*, ends_at: datetime | None, revoked: bool = False) -> Badge:
    if revoked:
        return Badge("closed", _("Was revoked"))
    if ends_at is not None and ends_at <= timezone.now():
        return Badge("closed", _("Has expired"))
    return Badge("active", _("In force"))
