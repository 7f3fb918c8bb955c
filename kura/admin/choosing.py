"""The page behind the link of an e-mail: choose a password, once, in one's own language."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse_lazy
from django.utils import translation
from django.utils.translation import gettext as _

from kura.accounts.lockout import unlock
from kura.accounts.models import User
from kura.admin.language import language_before_login


class ChoosePassword(PasswordResetConfirmView):
    """`site` is given where the URL is made."""

    site: AdminSite | None = None
    template_name = "kura/choose_password.html"
    success_url = reverse_lazy("admin:login")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        invited = self.get_user(kwargs.get("uidb64", ""))
        language = invited.language if invited else language_before_login(request)
        with translation.override(language):
            response = super().dispatch(request, *args, **kwargs)
            if isinstance(response, TemplateResponse):
                response.render()
        response.headers["Content-Language"] = language
        return response

    def get_user(self, uidb64: str) -> User | None:
        """Whoever was switched off meanwhile has no link any more."""
        found = super().get_user(uidb64)
        return found if isinstance(found, User) and found.is_active else None

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        unlock(user=form.user)
        messages.success(self.request, _("Your password is set. Now log in with it."))
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        site = self.site.each_context(self.request) if self.site else {}
        return {**super().get_context_data(**kwargs), **site, "title": _("Choose a password")}
