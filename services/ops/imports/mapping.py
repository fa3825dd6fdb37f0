"""How a file is read: its form, its columns, its words for stages and people. YAML, checked before the first row.

Invariants: a mapping that does not fit the file's header or the pipeline stops the import before anything is written, naming
file, line or column and the way out. Pure but for nothing: the texts come in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator

from contracts.pipeline import Pipeline
from services.strict_yaml import YamlError, read_yaml

Kind = Literal["history", "leads"]
Column = Annotated[str, Field(min_length=1, max_length=500)]
SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
PersonName = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?$")]

NEEDED: Final[dict[Kind, tuple[str, ...]]] = {"history": ("case", "activity", "at"), "leads": ("case", "stage")}
FURTHER: Final = ("name", "phone", "email", "company", "comment", "source", "responsible", "until", "reason")
OPTIONAL: Final[dict[Kind, tuple[str, ...]]] = {"history": (*FURTHER, "actor"), "leads": ("created", *FURTHER)}
"""What a column can be, by kind. A column that nothing names is kept with the lead under its own heading."""
USUAL: Final = {("leads", "case"): "id"}
"""Headings that are looked for where the mapping names none; otherwise the column is called as what it is."""
PREFIX: Final = "rejected_"
"""Columns that a file of rejected rows has besides its own: they are passed over when it is imported."""


class MappingError(ValueError):
    """The mapping, or the file's header under it, is wrong; the message says where and how to mend it."""


class Mapping(BaseModel):
    """A mapping. Everything has a default that fits a file whose columns are called as what they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind | None = None
    """history: a row is a step of a case at a time; leads: a row is a lead as it stands. None: told by the header."""
    source: SourceName | None = None
    """Where it comes from: rows of one source, case, activity and time are one row, in whatever file."""
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    columns: dict[str, Column] = Field(default_factory=dict)
    """Heading by what the column is."""
    time_format: str = "iso"
    """`iso` (RFC 3339 and relatives), or a format of `strptime`, for example %d.%m.%Y %H:%M."""
    zone: str | None = None
    """IANA zone of times that name none."""
    stages: dict[str, str] = Field(default_factory=dict)
    """Stage id by the file's word for it."""
    ignore: tuple[str, ...] = ()
    """Activities that are no stage: their rows are counted and passed over."""
    people: dict[str, PersonName] = Field(default_factory=dict)
    """Our name of a person by the file's."""
    fields: dict[str, Column] = Field(default_factory=dict)
    """Heading by field of the pipeline's card."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"no encoding {value}; for example utf-8, windows-1251, koi8-r, utf-16") from None
        return value

    @field_validator("delimiter", mode="before")
    @classmethod
    def _named_delimiter(cls, value: object) -> object:
        return {"tab": "\t", "\\t": "\t"}.get(value, value) if isinstance(value, str) else value

    @field_validator("delimiter")
    @classmethod
    def _usable_delimiter(cls, value: str) -> str:
        if value in '"\r\n\0':
            raise ValueError('a delimiter is one sign other than " and line ends; for example "," ";" or tab')
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError):
                raise ValueError(f"no time zone {value}; for example Europe/Moscow or UTC") from None
        return value

    @property
    def sha256(self) -> bytes:
        """What tells this mapping from another: 32 bytes over what it says, however it is written."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()


def read_mapping(text: str, file: str) -> Mapping:
    """The mapping in a YAML text. Raises MappingError."""
    try:
        return read_yaml(
            text, Mapping, file, whole="the mapping", begins="a mapping names columns, for example `kind: history`"
        )
    except YamlError as error:
        raise MappingError(str(error)) from None


class Columns:
    """Where in a row each thing stands, for one file: made from its header and the mapping."""

    def __init__(self, header: Sequence[str], mapping: Mapping, pipeline: Pipeline) -> None:
        """Raises MappingError naming what does not fit."""
        self.header = tuple(heading.strip() for heading in header)
        place = {heading: n for n, heading in enumerate(self.header)}
        twice = sorted({heading for heading in self.header if self.header.count(heading) > 1})
        if twice:
            raise MappingError(f"the header has columns of the same name: {', '.join(twice)}; rename one of each")
        self.kind: Kind = mapping.kind or self._kind(mapping)
        known = (*NEEDED[self.kind], *OPTIONAL[self.kind])
        if stranger := sorted(set(mapping.columns) - set(known)):
            raise MappingError(
                f"columns: a row of kind {self.kind} has no {', '.join(stranger)}; it has: {', '.join(known)}"
            )
        self.at: dict[str, int] = {}
        for name in known:
            heading = mapping.columns.get(name) or USUAL.get((self.kind, name), name)
            if heading in place:
                self.at[name] = place[heading]
            elif name in mapping.columns or name in NEEDED[self.kind]:
                raise MappingError(
                    f"the file has no column {heading!r} for {name}; it has: {', '.join(self.header)}. "
                    f"Name the right one in the mapping, under columns: {name}. (Or is the delimiter not "
                    f"{mapping.delimiter!r}?)"
                )
        self.card = {self._field(name, pipeline): self._card(name, mapping, place) for name in mapping.fields}
        used = {*self.at.values(), *self.card.values()}
        self.kept = tuple(
            (heading, n) for n, heading in enumerate(self.header) if n not in used and not heading.startswith(PREFIX)
        )
        _check_stages(mapping, pipeline)

    def _kind(self, mapping: Mapping) -> Kind:
        return "history" if mapping.columns.get("activity", "activity") in self.header else "leads"

    @staticmethod
    def _field(name: str, pipeline: Pipeline) -> str:
        if name not in pipeline.field_ids:
            there = ", ".join(sorted(pipeline.field_ids)) or "none"
            raise MappingError(f"fields: the card of {pipeline.pipeline} has no field {name}; it has: {there}")
        return name

    def _card(self, name: str, mapping: Mapping, place: dict[str, int]) -> int:
        heading = mapping.fields[name]
        if heading not in place:
            raise MappingError(
                f"fields: the file has no column {heading!r} for {name}; it has: {', '.join(self.header)}"
            )
        return place[heading]


def stage_words(mapping: Mapping, pipeline: Pipeline) -> dict[str, str]:
    """Stage id by every word the file may have for it, in small letters: ids and titles, then what the mapping says."""
    words: dict[str, str] = {}
    for stage in pipeline.stages:
        words |= {stage.titles.ru.casefold(): stage.id, stage.titles.en.casefold(): stage.id}
    words |= {stage.id.casefold(): stage.id for stage in pipeline.stages}
    return words | {word.strip().casefold(): stage for word, stage in mapping.stages.items()}


def _check_stages(mapping: Mapping, pipeline: Pipeline) -> None:
    if unknown := sorted({stage for stage in mapping.stages.values() if stage not in pipeline.by_id}):
        raise MappingError(
            f"stages: {pipeline.pipeline} has no stage {', '.join(unknown)}; it has: {', '.join(pipeline.by_id)}"
        )
