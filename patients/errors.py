"""What can be refused about a patient, and about a file with patients, by name."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from kura.errors import KuraError


class DuplicatePatient(KuraError):
    message = _("Another patient of this practice has this external id already.")
    code = "duplicate_patient"
    status = 409
    constraint = "patient_external_id_once"


class FileRefused(KuraError):
    """The whole file; nothing of it was looked at further."""

    code = "file_refused"
    status = 400


class FileTooLarge(FileRefused):
    message = _("The file is larger than {most} MB. Split it, and import one part after the other.")
    code = "file_too_large"


class TooManyRows(FileRefused):
    message = _(
        "The file has more than {most} rows. Split it, and import one part after the other."
    )
    code = "file_too_many_rows"


class NotText(FileRefused):
    message = _(
        "This is no CSV file. Save the table in your spreadsheet as “CSV”, and choose that."
    )
    code = "file_not_text"


class FileEmpty(FileRefused):
    message = _("The file has no rows below its headings.")
    code = "file_empty"


class KeyColumnMissing(FileRefused):
    message = _(
        "No column is headed “external id” or “e-mail address”, so nobody can be recognised again. "
        "The template shows the headings."
    )
    code = "file_key_column_missing"


class ColumnTwice(FileRefused):
    message = _("Two columns are headed “{column}”. Keep one of them.")
    code = "file_column_twice"


class RowTooLong(FileRefused):
    message = _(
        "Row {row} has more cells than there are headings. "
        "Is a text with a separator not in quotes?"
    )
    code = "file_row_too_long"


class ImportGone(KuraError):
    message = _("This import was confirmed or discarded already, or it waited for more than a day.")
    code = "import_gone"
    status = 404


class PlanChanged(KuraError):
    message = _(
        "Something has changed since you looked at it, so nothing was imported. "
        "Look at it again as it is now."
    )
    code = "import_plan_changed"
