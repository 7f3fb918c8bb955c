"""Django's backend, in fewer queries: every page asks who somebody is, where, and what they may."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import Q

from kura.accounts.models import User


class PeopleBackend(ModelBackend):
    def get_user(self, user_id: Any) -> User | None:
        """With the practice, whose scope and clock every request needs."""
        found = User.objects.select_related("organization").filter(pk=user_id).first()
        return found if found and self.user_can_authenticate(found) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Their own and those of their groups at once. Django keeps them on the person."""
        if not isinstance(user_obj, User) or user_obj.is_superuser or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not user_obj.is_active:
            return set()
        kept = vars(user_obj)
        if "_perm_cache" not in kept:
            theirs = Permission.objects.filter(Q(user=user_obj) | Q(group__user=user_obj))
            named = theirs.order_by().values_list("content_type__app_label", "codename")
            kept["_perm_cache"] = {f"{app}.{name}" for app, name in named.distinct()}
        return set(kept["_perm_cache"])
