"""People and their roles. A person has one role; other groups, if any, stay as they are.

A practice that has an active manager keeps one: nobody else could let people in. Whoever takes a
role or switches off waits for the practice's row, so two managers cannot remove each other.
"""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kura.accounts.errors import LastManager
from kura.accounts.models import Language, Organization, Theme, User
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


@transaction.atomic
def give_role(*, user: User, role: str) -> None:
    """Make this the person's one role. Raises LastManager."""
    if role != MANAGER:
        keep_a_manager(user=user)
    others = user.groups.exclude(name__in=ROLES)
    user.groups.set([*others, Group.objects.get(name=role)])


@transaction.atomic
def switch_off(*, user: User) -> None:
    """End this person's access, with their next request. Raises LastManager."""
    keep_a_manager(user=user)
    user.is_active = False
    user.save(update_fields=["is_active"])


def keep_a_manager(*, user: User) -> None:
    """LastManager if the practice has no other. Locks its row until the transaction ends.

    The lock leaves alone whoever adds patients or moves them.
    """
    if user.organization_id is None:
        return
    Organization.objects.select_for_update(no_key=True).get(pk=user.organization_id)
    managers = User.objects.filter(
        organization=user.organization_id, is_active=True, groups__name=MANAGER
    )
    ids = set(managers.values_list("pk", flat=True))
    if ids == {user.pk}:
        raise LastManager


def speak(*, user: User, language: Language) -> None:
    """Show this person everything in another language from now on."""
    user.language = language.value  # a header takes nothing but str
    user.save(update_fields=["language"])


def show_in(*, user: User, theme: Theme) -> None:
    """Light, dark or as the device, for this person on every device."""
    user.theme = theme.value
    user.save(update_fields=["theme"])
