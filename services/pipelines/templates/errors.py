"""What is wrong with a template, in words (R3): names and the template's own text, never a value, which may be personal."""

from __future__ import annotations


class TemplateError(ValueError):
    """A template cannot be used, or not with these values; the message names the line, what is wrong, and the way out.

    `ru`: the same in Russian; `line`: from 1, None where the whole text is meant; `missing`: the name that has no value, where
    that is what is wrong.
    """

    def __init__(self, en: str, ru: str, line: int | None = None, *, missing: str | None = None) -> None:
        super().__init__(en if line is None else f"line {line}: {en}")
        self.ru = ru if line is None else f"строка {line}: {ru}"
        self.line = line
        self.missing = missing

    def of_part(self, part: str) -> TemplateError:
        """The same error, told of a part of a template: `ru.text`."""
        told = TemplateError(f"{part}: {self}", f"{part}: {self.ru}", missing=self.missing)
        told.line = self.line
        return told


class UnfitError(Exception):
    """What a filter was given, or what is to be written out, does not fit. `filter_name` is empty for the latter.

    `missing`: it was given nothing at all. The engine turns this into a TemplateError, which knows the line.
    """

    def __init__(self, filter_name: str, en: str = "", ru: str = "", *, missing: bool = False) -> None:
        super().__init__(en)
        self.filter_name = filter_name
        self.en = en
        self.ru = ru
        self.missing = missing
