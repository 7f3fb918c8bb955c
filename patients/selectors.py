"""Find patients: by id, or by what people type (part of a name without accents, an address, a
telephone). And who looks after them.
"""

from __future__ import annotations

import re
import uuid
from typing import Final

from django.db.models import CharField, Exists, Func, OuterRef, Q, QuerySet, Value

from kura import tenancy
from kura.accounts.models import User
from kura.accounts.roles import MANAGER, THERAPIST
from kura.prepared import Columns, prepared_cursor
from patients.models import Patient

_COLUMNS: Final = Columns.of("p", Patient, without=("search_key", "sort_key"))
_ONE: Final = f"""
    SELECT {_COLUMNS} FROM patients p
    WHERE p.id = %s AND (p.organization_id = %s OR %s::boolean)
"""  # noqa: S608  constants
_TELEPHONE: Final = re.compile(r"[+()./-]*\d[\d+()./-]*")
RESPONSIBLE: Final = (THERAPIST, MANAGER)  # roles that may look after patients
MAX_WORDS: Final = 8  # each is a condition of its own; nobody types more


class Fold(Func):
    """`kura_fold`: accents off, case off, as in `search_key`."""

    function = "kura_fold"
    output_field = CharField()


def patient_of(patient_id: uuid.UUID) -> Patient | None:
    """None for nobody in the tenant scope. Prepared: the API's most frequent question."""
    organization_id = tenancy.organization_in_scope()
    with prepared_cursor() as cursor:
        cursor.execute(_ONE, [patient_id, organization_id, organization_id is None])
        row = cursor.fetchone()
    return _COLUMNS.object(Patient, row) if row else None


def responsible(organization_id: uuid.UUID | None) -> QuerySet[User]:
    """Who may look after patients in this practice, and who does, whatever their role is now."""
    theirs = Patient.objects.filter(therapist=OuterRef("pk"), organization=organization_id)
    in_role = User.groups.through.objects.filter(user=OuterRef("pk"), group__name__in=RESPONSIBLE)
    may = Q(is_active=True) & Q(Exists(in_role))
    return User.objects.filter(may | Q(Exists(theirs)), organization=organization_id)


def search(patients: QuerySet[Patient], text: str) -> QuerySet[Patient]:
    """Those whose `search_key` contains every word; no words, no narrowing."""
    for word in text.split()[:MAX_WORDS]:
        patients = patients.filter(_contains(word))
    return patients


def _contains(word: str) -> Q:
    written = Q(search_key__contains=Fold(Value(word)))
    if not _TELEPHONE.fullmatch(word):
        return written
    return written | Q(search_key__contains=re.sub(r"\D", "", word))
