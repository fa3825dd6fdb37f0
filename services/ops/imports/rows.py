"""From a record of the file to a row of the import, or to what is wrong with it: line, column, why, the way out.

Pure but for the settings it is made with (region, pepper). Invariants: what a row says is read or refused, never guessed: a
time without a zone, a word that is no stage, a person nobody named are bad rows; what is wrong names no value of a person's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from contracts.inbound import FormBody
from contracts.meta import Actor
from contracts.pipeline import Pipeline
from services.leads.domain.history import HistoryRow, row_id, streams_of
from services.leads.domain.identities import Identity
from services.leads.work import ImportWork, identities_of
from services.ops.imports.mapping import Columns, Mapping, stage_words
from services.ops.imports.table import Record
from services.settings import Settings

EARLIEST_YEAR = 1900
CASE_CHARACTERS = 500
PERSON_BYTES = 200 * 1024
"""Of one row's texts: an event holds 256 KB."""
NOBODY = FormBody()
_PERSON = frozenset(("name", "phone", "email", "company", "comment", "source"))


class BadCellError(ValueError):
    """A cell cannot be read."""

    def __init__(self, column: str, why: str, way_out: str) -> None:
        super().__init__(why)
        self.column, self.why, self.way_out = column, why, way_out


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that does not go in."""

    record: Record
    column: str
    rule: str
    why: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A row that the mapping passes over."""

    record: Record


@dataclass(frozen=True, slots=True)
class Given:
    """A row to import, with the record it was read from. `unreadable`: its phone or e-mail is kept as text only."""

    record: Record
    work: ImportWork
    unreadable: bool


class RowReader:
    """Reads the records of one file."""

    def __init__(
        self, columns: Columns, mapping: Mapping, pipeline: Pipeline, settings: Settings, source: str, import_id: UUID
    ) -> None:
        self._columns, self._mapping, self._settings = columns, mapping, settings
        self._pipeline, self._source, self._import_id = pipeline.pipeline, source, import_id
        self._stages = stage_words(mapping, pipeline)
        self._ignored = frozenset(word.strip().casefold() for word in mapping.ignore)
        self._zone = ZoneInfo(mapping.zone) if mapping.zone else None
        self._moment = lru_cache(maxsize=10_000)(self._read_moment)
        self._actor = lru_cache(maxsize=1_000)(self._read_actor)
        self._streams = lru_cache(maxsize=10_000)(partial(streams_of, source))
        self._history = columns.kind == "history"
        self._of_person = bool(_PERSON & columns.at.keys() or columns.kept)

    def read(self, record: Record, position: int) -> Given | Bad | Passed:
        """What a record is. `position` counts the file's records from 1."""
        try:
            return self._read(record, position)
        except BadCellError as error:
            return Bad(record, error.column, "", error.why, error.way_out)

    def _read(self, record: Record, position: int) -> Given | Passed:
        self._check_form(record)
        cells = record.cells
        word = self._needed(cells, "activity" if self._history else "stage")
        if word.casefold() in self._ignored:
            return Passed(record)
        stage = self._stages.get(word.casefold())
        if stage is None:
            raise BadCellError(
                self._heading("activity" if self._history else "stage"),
                f"{word[:100]!r} is no stage of {self._pipeline}",
                "name its stage in the mapping under stages, or put it under ignore",
            )
        case = self._needed(cells, "case")
        if len(case) > CASE_CHARACTERS:
            raise BadCellError(
                self._heading("case"), f"longer than {CASE_CHARACTERS} characters", "is it the right column?"
            )
        at = self._at(cells)
        lead, contact = self._streams(case)
        person = NOBODY
        identities: tuple[Identity, ...] = ()
        if self._of_person:
            person = self._person(cells)
            identities = identities_of(
                self._settings.pepper_bytes, self._settings.default_region, person.phone, person.email
            )
        row = HistoryRow(
            # A lead as it stands is one row, whatever it says: a later export says it anew.
            id=row_id(self._source, case, word if self._history else "", at if self._history else None),
            lead=lead,
            contact=contact,
            pipeline=self._pipeline,
            stage=stage,
            at=at,
            source=self._source,
            actor=self._actor(self._text(cells, "actor")),
            person=person,
            identities=identities,
            card={name: text for name, n in self._columns.card.items() if (text := cells[n].strip())},
            responsible=self._name(self._text(cells, "responsible"), "responsible"),
            until=self._until(cells),
            reason=self._text(cells, "reason"),
            as_it_is=not self._history,
        )
        unreadable = bool(person.phone or person.email) and len(identities) < bool(person.phone) + bool(person.email)
        return Given(record, ImportWork(row, self._import_id, record.line, position), unreadable)

    def _check_form(self, record: Record) -> None:
        if record.problem:
            raise BadCellError(
                "", record.problem, "look for a quotation mark that is not closed, or write it twice inside"
            )
        if len(record.cells) != len(self._columns.header):
            raise BadCellError(
                "",
                f"{len(record.cells)} cells, but the header has {len(self._columns.header)}",
                "put cells that hold the delimiter into quotation marks",
            )
        for heading, cell in zip(self._columns.header, record.cells, strict=True):
            if cell.isascii() and "\0" not in cell:
                continue
            if "\0" in cell:
                raise BadCellError(heading, "the character NUL, which nothing can show", "leave it out")
            if any("\ud800" <= sign <= "\udfff" for sign in cell):
                raise BadCellError(
                    heading, f"not written in {self._mapping.encoding}", "name the file's encoding in the mapping"
                )

    def _heading(self, name: str) -> str:
        return self._columns.header[self._columns.at[name]] if name in self._columns.at else name

    def _text(self, cells: list[str], name: str) -> str | None:
        place = self._columns.at.get(name)
        return (cells[place].strip() or None) if place is not None else None

    def _needed(self, cells: list[str], name: str) -> str:
        text = self._text(cells, name)
        if text is None:
            raise BadCellError(self._heading(name), "empty", "fill it in")
        return text

    def _at(self, cells: list[str]) -> datetime | None:
        if self._history:
            return self._moment(self._needed(cells, "at"), "at")
        text = self._text(cells, "created")
        return self._moment(text, "created") if text else None

    def _read_moment(self, text: str, name: str) -> datetime:
        form, heading = self._mapping.time_format, self._heading(name)
        try:
            moment = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
        except ValueError:
            raise BadCellError(
                heading,
                f"{text[:60]!r} is no time of the format {form}",
                "correct it, or name time_format in the mapping",
            ) from None
        if moment.tzinfo is None:
            if self._zone is None:
                raise BadCellError(
                    heading, "a time without a zone", "name the zone in the mapping, zone: Europe/Moscow"
                )
            moment = moment.replace(tzinfo=self._zone)
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            moment = datetime.min.replace(tzinfo=UTC)
        if moment.year < EARLIEST_YEAR:
            raise BadCellError(heading, f"before {EARLIEST_YEAR}", "correct it")
        return moment

    def _until(self, cells: list[str]) -> date | None:
        text = self._text(cells, "until")
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            moment = self._moment(text, "until")
            return moment.astimezone(self._zone or UTC).date()

    def _read_actor(self, text: str | None) -> Actor:
        return Actor(id=f"import:{self._source}", kind="import", on_behalf_of=self._name(text, "actor"))

    def _name(self, text: str | None, name: str) -> str | None:
        if text is None:
            return None
        known = self._mapping.people.get(text)
        if known is None and not (text.isascii() and text.isprintable() and len(text) <= 100):
            raise BadCellError(
                self._heading(name), "a person who has no name in Leadline", "name them in the mapping under people"
            )
        return known or text

    def _person(self, cells: list[str]) -> FormBody:
        said = {name: self._text(cells, name) for name in sorted(_PERSON)}
        kept = {heading: cells[n].strip() for heading, n in self._columns.kept if cells[n].strip()}
        if sum(len(text.encode()) for text in (*said.values(), *kept.values()) if text) > PERSON_BYTES:
            raise BadCellError(
                "", f"more than {PERSON_BYTES // 1024} KB of text in one row", "put a link to a file instead"
            )
        try:
            return FormBody(**said, fields=kept)
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            name = str(problem["loc"][-2] if problem["loc"][-1] == "[key]" else problem["loc"][-1])
            raise BadCellError(self._heading(name), problem["msg"], "shorten it") from None
