"""People and their roles. A person has one role; other groups, if any, stay as they are."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import Group
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kura.accounts.models import Language, Theme, User
from kura.accounts.roles import MANAGER, ROLES, THERAPIST, VIEWER

ROLE_NAMES: Final[dict[str, Promise]] = {
    VIEWER: _("Viewer: reads"),
    THERAPIST: _("Therapist: moves, enrolls and unblocks"),
    MANAGER: _("Manager: also templates and team"),
}


def role_of(user: User) -> str:
    """The role of this person, '' without one. Reads prefetched groups if there are any."""
    names = {group.name for group in user.groups.all()}
    return next((role for role in reversed(ROLES) if role in names), "")


def give_role(*, user: User, role: str) -> None:
    """Make this the person's one role."""
    others = user.groups.exclude(name__in=ROLES)
    user.groups.set([*others, Group.objects.get(name=role)])


def speak(*, user: User, language: Language) -> None:
    """Show this person everything in another language from now on."""
    user.language = language.value  # a header takes nothing but str
    user.save(update_fields=["language"])


def show_in(*, user: User, theme: Theme) -> None:
    """Light, dark or as the device, for this person on every device."""
    user.theme = theme.value
    user.save(update_fields=["theme"])
