"""Django's backend, in fewer queries: every page asks who somebody is, where, and what they may."""

from __future__ import annotations

import uuid
from typing import Any, Final

from django.contrib.auth.backends import ModelBackend
from django.contrib.postgres.fields import ArrayField
from django.db.models import TextField
from django.db.models.expressions import RawSQL

from kura.accounts.models import User
from kura.prepared import prepared_cursor

_GRANTED: Final = """
    SELECT c.app_label || '.' || p.codename
    FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id
    WHERE p.id IN (
        SELECT r.permission_id FROM users_groups m
        JOIN auth_group_permissions r ON r.group_id = m.group_id WHERE m.user_id = {user}
        UNION ALL
        SELECT o.permission_id FROM users_user_permissions o WHERE o.user_id = {user}
    )
"""
_GRANTED_TO_ONE: Final = _GRANTED.format(user="%(user)s")
_GRANTED_BESIDE: Final = RawSQL(  # noqa: S611  constants
    f"ARRAY({_GRANTED.format(user='users.id')})", (), output_field=ArrayField(TextField())
)


class PeopleBackend(ModelBackend):
    def get_user(self, user_id: Any) -> User | None:
        """With the practice and the permissions, which every request needs: one query."""
        rows = User.objects.select_related("organization").annotate(granted=_GRANTED_BESIDE)
        found = rows.filter(pk=user_id).first()
        if found is None or not self.user_can_authenticate(found):
            return None
        granted = vars(found).pop("granted")
        if not found.is_superuser:
            vars(found)["_perm_cache"] = set(granted)
        return found

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Their own and those of their groups at once. Django keeps them on the person: whoever is
        loaded again is asked about again, so a role taken away is gone with the next request.
        """
        if not isinstance(user_obj, User) or user_obj.is_superuser or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not user_obj.is_active:
            return set()
        kept = vars(user_obj)
        if "_perm_cache" not in kept:
            kept["_perm_cache"] = _granted_to(user_obj.pk)
        return set(kept["_perm_cache"])


def _granted_to(user_id: uuid.UUID) -> set[str]:
    """Prepared: each request of a token asks."""
    with prepared_cursor() as cursor:
        cursor.execute(_GRANTED_TO_ONE, {"user": user_id})
        return {name for (name,) in cursor.fetchall()}
