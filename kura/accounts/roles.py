"""The roles, and the migration operation that gives them permissions.

Django creates Permission rows only after all migrations; a role that a migration promises must
exist when that migration is done, so the operation makes the rows it needs itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db.migrations.operations import RunPython

VIEWER: Final = "viewer"
THERAPIST: Final = "therapist"
MANAGER: Final = "manager"
ROLES: Final = (VIEWER, THERAPIST, MANAGER)

Grants = Mapping[str, Sequence[str]]  # role -> ["app_label.model.codename", ...]


def grant(grants: Grants) -> RunPython:
    """An operation: `grant({"viewer": ["patients.patient.view_patient"]})`, reversible."""
    return RunPython(_change(grants, _give), _change(grants, _take))


def _change(grants: Grants, act: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def run(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001  Django's signature
        for role, codenames in grants.items():
            group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
            act(group, [_permission(apps, name) for name in codenames])

    return run


def _permission(apps: Any, name: str) -> Any:
    app_label, model, codename = name.split(".")
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type,
        codename=codename,
        defaults={"name": f"Can {codename.replace('_', ' ')}"},
    )
    return permission


def _give(group: Any, permissions: Any) -> None:
    group.permissions.add(*permissions)


def _take(group: Any, permissions: Any) -> None:
    group.permissions.remove(*permissions)
