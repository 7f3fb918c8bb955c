"""Patients from a file: what would happen to each row, and then all of it or nothing.

Both are one way through django-import-export; looking ahead is undone, so it tells what the
database itself would say. A person is recognised by external id, else by e-mail address. An empty
cell changes nothing. `journey_status` is the log's and has no column.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Upper
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import ModelResource
from import_export.results import Result, RowResult
from import_export.widgets import Widget

from kura import tenancy
from kura.accounts.models import Language, Organization, User
from patients import errors
from patients.models import Patient, PatientImport
from patients.signals import registered
from patients.tables import COLUMNS, PatientTable, read_table

KEPT: Final = timedelta(days=1)  # a file that nobody confirmed
NEW, CHANGED, UNCHANGED, WRONG = "new", "changed", "unchanged", "wrong"
_KINDS: Final = {
    RowResult.IMPORT_TYPE_NEW: NEW,
    RowResult.IMPORT_TYPE_UPDATE: CHANGED,
    RowResult.IMPORT_TYPE_SKIP: UNCHANGED,
}
_LANGUAGES: Final = {
    "espanol": Language.SPANISH, "español": Language.SPANISH, "spanish": Language.SPANISH,
    "ingles": Language.ENGLISH, "inglés": Language.ENGLISH, "english": Language.ENGLISH,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    label: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RowPlan:
    """`number`: as the spreadsheet counts. `kind`: new, changed, unchanged or wrong."""

    number: int
    kind: str
    name: str
    patient_id: uuid.UUID | None
    changes: Sequence[Change] = ()
    problems: Sequence[str] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`digest`: what was looked at; a plan with another one is another plan."""

    rows: Sequence[RowPlan]
    ignored: Sequence[str]
    counts: Mapping[str, int]
    digest: str

    @property
    def may_be_confirmed(self) -> bool:
        return not self.counts[WRONG] and self.counts[NEW] + self.counts[CHANGED] > 0


# --- what others call ---------------------------------------------------------------------------


def keep_file(*, user: User, organization: Organization, content: bytes) -> PatientImport:
    """Until it is confirmed or a day has gone. Raises a FileRefused."""
    read_table(content)
    return PatientImport.objects.create(
        organization=organization, uploaded_by=user, content=content
    )


def look_ahead(pending: PatientImport) -> Plan:
    """What would happen to each row now. Everything is undone before it returns."""
    table = read_table(bytes(pending.content))
    with transaction.atomic():
        return _planned(pending.organization_id, table, dry_run=True)[0]


@transaction.atomic
def confirm(*, pending: PatientImport, user: User, seen: str) -> Plan:
    """Do what was looked at. One import of a practice at a time; its patients wait meanwhile.

    Raises PlanChanged when it would be anything else by now, and ImportGone the second time.
    """
    locked = PatientImport.objects.select_for_update().filter(pk=pending.pk).first()
    if locked is None:
        raise errors.ImportGone
    Organization.objects.select_for_update(no_key=True).get(pk=locked.organization_id)
    table = read_table(bytes(locked.content))
    plan, made = _planned(locked.organization_id, table, dry_run=False)
    if plan.digest != seen or not plan.may_be_confirmed:
        raise errors.PlanChanged
    locked.delete()
    if made:
        registered.send(sender=Patient, patients=made)
    _leave_trace(user, plan)
    return plan


def discard(*, pending: PatientImport) -> None:
    pending.delete()


def forget_files(*, now: datetime) -> int:
    """Those that nobody confirmed within a day. Returns how many went."""
    with tenancy.every_organization():
        removed, _kinds = PatientImport.objects.filter(created_at__lt=now - KEPT).delete()
    return int(removed)


def _leave_trace(user: User, plan: Plan) -> None:
    LogEntry.objects.create(
        user=user,
        content_type=ContentType.objects.get_for_model(Patient),
        object_repr=str(Patient._meta.verbose_name_plural)[:200],
        action_flag=ADDITION,
        change_message=f"imported: {plan.counts[NEW]} new, {plan.counts[CHANGED]} changed",
    )


def _planned(
    organization_id: uuid.UUID, table: PatientTable, *, dry_run: bool
) -> tuple[Plan, list[Patient]]:
    resource = PatientResource(organization_id, table, locking=not dry_run)
    result = resource.import_data(
        table.rows, dry_run=dry_run, use_transactions=True, rollback_on_validation_errors=True
    )
    if result.base_errors:  # the database refused what looked right: somebody was quicker
        raise errors.PlanChanged
    rows = [
        resource.plan_of(number, row)
        for number, row in zip(table.numbers, result.rows, strict=True)
    ]
    made = [row.instance for row in result.rows if row.is_new() and row.instance]
    return Plan(rows, table.ignored, _counts(rows), _digest(result, rows)), made


def _counts(rows: Iterable[RowPlan]) -> dict[str, int]:
    return {NEW: 0, CHANGED: 0, UNCHANGED: 0, WRONG: 0} | Counter(row.kind for row in rows)


def _digest(result: Result, rows: Sequence[RowPlan]) -> str:
    """Of what is written, and over which version of whom."""
    said = [
        (plan.kind, _whom(row), [str(value) for value in row.row_values.values()],
         [(one.label, one.before, one.after) for one in plan.changes])
        for plan, row in zip(rows, result.rows, strict=True)
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _whom(row: RowResult) -> str:
    return f"{row.original.pk} {row.original.version}" if row.original else ""


# --- one row ------------------------------------------------------------------------------------


class KnownPatients(BaseInstanceLoader):  # type: ignore[misc]
    """Everybody the file may be about, read at once: two ways to be recognised."""

    def __init__(self, resource: PatientResource, dataset: Any = None) -> None:
        super().__init__(resource, dataset)
        rows = list(dataset.dict)
        numbers = {row.get("external_id", "") for row in rows} - {""}
        addresses = {row.get("email", "").upper() for row in rows} - {""}
        self.by_number: dict[str, Patient] = {}
        self.by_address: dict[str, list[Patient]] = defaultdict(list)
        for one in self._everybody(numbers, addresses):
            if one.external_id:
                self.by_number[one.external_id] = one
            if one.email:
                self.by_address[one.email.upper()].append(one)

    def _everybody(self, numbers: set[str], addresses: set[str]) -> QuerySet[Patient]:
        found = (
            Patient.objects.filter(organization=self.resource.organization_id)
            .alias(address=Upper("email"))
            .filter(Q(external_id__in=numbers) | Q(address__in=addresses))
            .select_related("therapist")
            .order_by("pk")
        )
        locked = found.select_for_update(of=("self",), no_key=True)
        return locked if self.resource.locking else found

    def get_instance(self, row: Mapping[str, str]) -> Patient | None:
        number, address = row.get("external_id", ""), row.get("email", "").upper()
        if number and number in self.by_number:
            return self.by_number[number]
        same = [one for one in self.by_address.get(address, []) if not (number and one.external_id)]
        if len(same) > 1:
            raise ValidationError(
                _("Several patients have this e-mail address. Give the external id.")
            )
        return same[0] if same else None


class TherapistWidget(Widget):  # type: ignore[misc]
    """A colleague by e-mail address; nobody of another practice is ever found."""

    def __init__(self, colleagues: Mapping[str, User]) -> None:
        super().__init__()
        self.colleagues = colleagues

    def clean(self, value: str, row: Any = None, **_kwargs: Any) -> User:  # noqa: ARG002
        try:
            return self.colleagues[value.lower()]
        except KeyError:
            raise ValueError(
                _("Nobody who works in your practice has the address “%(address)s”.")
                % {"address": value}
            ) from None


class LanguageWidget(Widget):  # type: ignore[misc]
    def clean(self, value: str, row: Any = None, **_kwargs: Any) -> str:  # noqa: ARG002
        written = value.lower()
        return str(_LANGUAGES.get(written, written))


class NumberWidget(Widget):  # type: ignore[misc]
    """Without one it is NULL: '' would be a number that only one patient may have."""

    def clean(self, value: str, row: Any = None, **_kwargs: Any) -> str | None:  # noqa: ARG002
        return value or None


class PatientResource(ModelResource):  # type: ignore[misc]
    external_id = Field(attribute="external_id", column_name="external_id", widget=NumberWidget())
    language = Field(attribute="language", column_name="language", widget=LanguageWidget())

    class Meta:
        model = Patient
        fields = tuple(COLUMNS)
        import_id_fields = ()
        instance_loader_class = KnownPatients
        clean_model_instances = True
        skip_unchanged = True
        report_skipped = True
        skip_html_diff = True
        store_instance = True
        store_row_values = True
        use_bulk = True
        batch_size = 1000

    def __init__(self, organization_id: uuid.UUID, table: PatientTable, *, locking: bool) -> None:
        super().__init__()
        self.organization_id = organization_id
        self.locking = locking
        colleagues = User.objects.filter(organization=organization_id, is_active=True)
        widget = TherapistWidget({one.email: one for one in colleagues})
        self.fields["therapist"] = Field("therapist", "therapist", widget=widget)
        rows = list(table.rows.dict)
        self._numbers = _places((row.get("external_id", "") for row in rows), table.numbers)
        unnumbered = (row.get("email", "").upper() if not row.get("external_id") else ""
                      for row in rows)  # fmt: skip
        self._addresses = _places(unnumbered, table.numbers)
        self._taken: dict[uuid.UUID, int] = {}
        self._row_numbers = table.numbers
        self._sharing: dict[int, str] = {}  # by row: who has the same address

    def get_bulk_update_fields(self) -> list[str]:
        return list(COLUMNS)

    def before_import_row(self, row: Mapping[str, str], **_kwargs: Any) -> None:
        number, address = row.get("external_id", ""), row.get("email", "")
        if not number and not address:
            raise ValidationError(
                _("Give an external id or an e-mail address: without either, importing the file "
                  "again would add this person again.")
            )  # fmt: skip
        _require_once(self._numbers.get(number, []), _("external id"))
        if not number:
            _require_once(self._addresses.get(address.upper(), []), _("e-mail address"))

    def get_or_init_instance(
        self, instance_loader: KnownPatients, row: Mapping[str, str]
    ) -> tuple[Patient, bool]:
        self._loader = instance_loader
        found = instance_loader.get_instance(row)
        if found is not None:
            return found, False
        return Patient(organization_id=self.organization_id), True

    def after_init_instance(
        self, instance: Patient, new: bool, row: Mapping[str, str], **kwargs: Any
    ) -> None:
        here = self._row_numbers[kwargs["row_number"] - 1]
        if new:
            same = self._loader.by_address.get(row.get("email", "").upper(), [])
            self._sharing[here] = ", ".join(str(one) for one in same[:3])
            return
        if instance.erased_at:
            raise ValidationError(_("This person's data were erased and are not filled in again."))
        first = self._taken.setdefault(instance.pk, here)
        if first != here:
            raise ValidationError(
                _("Row %(number)s is about the same patient.") % {"number": first}
            )

    def import_field(
        self, field: Field, instance: Patient, row: Mapping[str, str], is_m2m: bool = False,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        """An empty cell says nothing about somebody who is known."""
        if row.get(field.column_name):
            super().import_field(field, instance, row, is_m2m, **kwargs)

    def validate_instance(
        self,
        instance: Patient,
        import_validation_errors: Mapping[str, Any] | None = None,
        validate_unique: bool = True,  # noqa: ARG002  decided for the whole file at once
    ) -> None:
        """The fields of the file. References were looked up already; no query for each row."""
        found: dict[str, Any] = dict(import_validation_errors or {})
        others = {one.name for one in Patient._meta.fields} - set(COLUMNS)
        try:
            instance.clean_fields(exclude=others | {"therapist"} | set(found))
        except ValidationError as problem:
            found = problem.update_error_dict(found)
        if found:
            raise ValidationError(found)

    def plan_of(self, number: int, row: RowResult) -> RowPlan:
        values = row.row_values
        name = values.get("full_name", "")
        if row.instance is None or row.validation_error or row.errors:
            return RowPlan(number=number, kind=WRONG, name=name, patient_id=None,
                           problems=_problems(row))  # fmt: skip
        return RowPlan(
            number=number,
            kind=_KINDS[row.import_type],
            name=row.instance.full_name,
            patient_id=row.original.pk if row.original else None,
            changes=_changes(row.original, row.instance),
            note=_sharing(self._sharing.get(number, "")),
        )


def _sharing(names: str) -> str:
    """Relatives do; a second number for the same person looks just like it."""
    return _("Has the same e-mail address as %(names)s.") % {"names": names} if names else ""


def _places(values: Iterable[str], numbers: Sequence[int]) -> dict[str, list[int]]:
    """In which rows each value stands."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, value in zip(numbers, values, strict=True):
        if value:
            places[value].append(number)
    return places


def _require_once(rows: Sequence[int], what: str) -> None:
    if len(rows) > 1:
        told = ", ".join(str(number) for number in rows[:5])
        raise ValidationError(
            _("Rows %(numbers)s have the same %(what)s.") % {"numbers": told, "what": what}
        )


def _changes(before: Patient | None, after: Patient) -> list[Change]:
    if before is None:
        return []
    return [
        Change(_label(name), _said(before, name), _said(after, name))
        for name in COLUMNS
        if getattr(before, name) != getattr(after, name)
    ]


def _label(name: str) -> str:
    return capfirst(str(Patient._meta.get_field(name).verbose_name))  # type: ignore[union-attr]


def _said(patient: Patient, name: str) -> str:
    value = getattr(patient, name)
    return "" if value is None else str(value)


def _problems(row: RowResult) -> list[str]:
    """In the reader's words; a technical error says only that there was one."""
    if row.validation_error is None:
        return [_("This row cannot be read.")]
    problem: ValidationError = row.validation_error
    if not hasattr(problem, "error_dict"):
        return list(problem.messages)
    return [f"{_label(name)}: {words}" for name, told in problem.message_dict.items()
            for words in told]  # fmt: skip
