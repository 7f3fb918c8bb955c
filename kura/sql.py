"""A migration operation that runs a `.sql` file, and its `.down.sql` on the way back."""

from __future__ import annotations

from pathlib import Path

from django.db.migrations.operations import RunSQL


class RunSqlFile(RunSQL):
    """`RunSqlFile(SQL_DIR, "journey_door")` runs journey_door.sql / journey_door.down.sql.

    A shipped file is never edited: a guard that changes gets a new file and a new migration.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        super().__init__(
            sql=[(folder / f"{name}.sql").read_text(encoding="utf-8")],
            reverse_sql=[(folder / f"{name}.down.sql").read_text(encoding="utf-8")],
        )

    def deconstruct(self) -> tuple[str, list[object], dict[str, object]]:
        return (self.__class__.__qualname__, [self.folder, self.name], {})

    def describe(self) -> str:
        return f"Run {self.name}.sql"
