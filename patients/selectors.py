"""Find patients by what people type: part of a name without accents, an address, a telephone."""

from __future__ import annotations

import re
from typing import Final

from django.db.models import CharField, Func, Q, QuerySet, Value

from patients.models import Patient

_TELEPHONE: Final = re.compile(r"[+()./-]*\d[\d+()./-]*")
MAX_WORDS: Final = 8  # each is a condition of its own; nobody types more


class Fold(Func):
    """`kura_fold`: accents off, case off, as in `search_key`."""

    function = "kura_fold"
    output_field = CharField()


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
