"""Rendering a template over plain values, within limits (R3, decision 6).

Pure: the same text and values give the same result. What a template may say is read first (`grammar`); the engine then gets
texts, numbers, yes and no in maps, never an object, a file or another template. A name without a value is an error that names
it; no error holds a value. Limits: 50,000 characters of source, 256 KB of result, fuel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any, Final, Literal

import minijinja

from services.pipelines.templates.errors import TemplateError, UnfitError
from services.pipelines.templates.expressions import Use
from services.pipelines.templates.filters import filters_for
from services.pipelines.templates.grammar import GROUPS, Written, near_name, read_template
from services.pipelines.templates.reading import YES_NO, Language, day_in, moment_in, number_in, time_of_day

FUEL: Final = 100_000
"""Steps. Without loops a template takes fewer than it has characters: this holds should the grammar ever let one through."""
OUTPUT_BYTES: Final = 256 * 1024
SUBJECT_OUT_CHARACTERS: Final = 900
"""A header line has at most 998 octets where nothing folds it (RFC 5322, 2.1.1)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]+")
_WRITTEN = "written"
_FUNCTIONS = ("range", "dict", "namespace", "debug")
"""What the engine offers by itself: the grammar refuses every call, and there is nothing to be called either."""


class _TooLongError(Exception):
    """The result is over its limit."""


def render(text: str, values: Mapping[str, object], *, html: bool, language: Language) -> str:
    """The text with its values. `html`: values are escaped. Raises TemplateError.

    `values` may hold texts, numbers (a Decimal counts as text), dates, times and moments (written as read in the language), yes
    and no, and maps of these by name. None is as if the name were not there. Raises TypeError for anything else.
    """
    written = read_template(text)
    plain = {name: told for name, value in values.items() if (told := _plain(value, language)) is not None}
    plain = {**{group: {} for group in GROUPS}, **plain}
    try:
        result = _ENVIRONMENTS[language].render_str(text, "html" if html else "text", **plain)
    except minijinja.TemplateError as error:
        raise _told(error, text, written, plain) from None
    except UnfitError as error:
        raise _unfit(error, written, plain) from None
    except _TooLongError:
        raise _too_long() from None
    if len(result.encode()) > OUTPUT_BYTES:
        raise _too_long()
    return result


def render_subject(text: str, values: Mapping[str, object], *, language: Language) -> str:
    """The same as one line, for a letter's subject: no line breaks, no signs that are not seen. Raises TemplateError."""
    line = " ".join(_CONTROL.sub(" ", render(text, values, html=False, language=language)).split())
    if not line:
        raise TemplateError(
            "the subject comes out empty; write a word that is always there",
            "тема выходит пустой; напишите слово, которое есть всегда",
        )
    if len(line) > SUBJECT_OUT_CHARACTERS:
        raise TemplateError(
            f"the subject comes out longer than {SUBJECT_OUT_CHARACTERS} characters; shorten a value by | truncate(70)",
            f"тема выходит длиннее {SUBJECT_OUT_CHARACTERS} знаков; сократите значение: | truncate(70)",
        )
    return line


def variables(text: str) -> set[str]:
    """The names that a template may need, dotted: `card.lesson_date`. Raises TemplateError."""
    written = read_template(text)
    try:
        found = _ENVIRONMENTS["en"].undeclared_variables_in_str(text, nested=True)
    except minijinja.TemplateError as error:
        raise _told(error, text, written, {}) from None
    # a name that is set in one branch alone counts as undeclared behind it
    return {name for name in found if name.partition(".")[0] not in written.own}


def _plain(value: object, language: Language) -> Any:
    """A value as the engine gets it."""
    if isinstance(value, str):
        # an instance of str itself: a subclass may claim that it needs no escaping; half a character cannot be written out
        return value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict | Mapping):  # dict apart: whether it is an abstract Mapping is dear to ask
        return {str(name): told for name, one in value.items() if (told := _plain(one, language)) is not None}
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return moment_in(language, value)
    if isinstance(value, date):
        return day_in(language, value)
    if isinstance(value, time):
        return time_of_day(value)
    raise TypeError(f"a template takes texts, numbers, dates, yes and no, and maps of them, not {type(value).__name__}")


def _environment(language: Language) -> minijinja.Environment:
    yes, no = YES_NO[language]

    @minijinja.pass_state
    def written_out(state: Any, value: Any) -> Any:
        """Every value on its way out: as people read it, and counted, so that a long result ends while it grows."""
        told: Any = NotImplemented
        if value is None:
            told = ""
        elif isinstance(value, bool):
            told = yes if value else no
        elif isinstance(value, int):
            told = number_in(language, Decimal(value)) if abs(value) > 9_999 else str(value)
        elif isinstance(value, float):
            told = number_in(language, Decimal(str(value)))
        elif not isinstance(value, str):
            raise UnfitError("")
        size = int(state.get_temp(_WRITTEN, 0)) + len(str(value if told is NotImplemented else told).encode())
        if size > OUTPUT_BYTES:
            raise _TooLongError
        state.set_temp(_WRITTEN, size)
        return told

    environment = minijinja.Environment(
        fuel=FUEL,
        undefined_behavior="strict",
        debug=False,
        pycompat=False,
        trim_blocks=True,
        lstrip_blocks=True,
        filters=filters_for(language),
        auto_escape_callback=lambda name: name == "html",
        finalizer=written_out,
    )
    for function in _FUNCTIONS:
        environment.remove_global(function)
    return environment


_ENVIRONMENTS: Final[dict[Literal["ru", "en"], minijinja.Environment]] = {
    "ru": _environment("ru"),
    "en": _environment("en"),
}


def _told(error: minijinja.TemplateError, text: str, written: Written, values: Mapping[str, Any]) -> TemplateError:
    """What the engine found, in words of our own: its own may hold values."""
    line = error.line
    if error.kind == "UndefinedError":
        start, end = _span(error, text)
        missing = [use for use in written.uses if not use.asked and not _there(use.path, values)]
        block = max((use.block for use in missing if use.block <= start), default=None)
        within = [use for use in missing if use.block == block]
        hit = [use for use in within if use.start < end and start < use.end] or within
        if hit:
            return _missing(hit[0], values)
        return TemplateError("a name without a value stands here", "здесь имя, у которого нет значения", line)
    if error.kind == "OutOfFuel":
        return TemplateError(
            "the template takes too many steps; write it shorter",
            "шаблон требует слишком много шагов; напишите короче",
            line,
        )
    if error.kind == "SyntaxError":
        start, end = _span(error, text)
        near = " ".join(text[start : max(end, start + 1)].split())[:40]
        return TemplateError(
            f"the expression is not complete near {near}; write it like {{{{ lead.name | default('…') }}}}",
            f"выражение не закончено около {near}; пишите как {{{{ lead.name | default('…') }}}}",
            line,
        )
    if error.kind == "BadEscape":
        return TemplateError(
            r"what follows \ in a quoted text means nothing; write \\ for the sign itself",
            r"после \ в тексте в кавычках стоит не то; сам этот знак пишут \\",
            line,
        )
    return TemplateError(
        "what stands here cannot be worked out; compare texts with texts, numbers with numbers, and give filters what they take",
        "это не вычислить; сравнивайте текст с текстом, число с числом, а фильтрам давайте то, что они берут",
        line,
    )


def _span(error: minijinja.TemplateError, text: str) -> tuple[int, int]:
    """Where the engine's error lies, in characters; it counts bytes."""
    if error.range is None:
        return 0, len(text)
    written = text.encode()
    start, end = (len(written[:place].decode(errors="ignore")) for place in error.range)
    return start, end


def _unfit(error: UnfitError, written: Written, values: Mapping[str, Any]) -> TemplateError:
    """What a filter refused, with the line where that can be told."""
    if not error.filter_name:
        group = next((use for use in written.uses if isinstance(_value(use.path, values), Mapping)), None)
        name, line = (group.path, group.line) if group else ("this", None)
        return TemplateError(
            f"{name} is a group of values; write one of them, {name}.NAME",
            f"{name} — группа значений; напишите одно из них, {name}.ИМЯ",
            line,
        )
    if error.missing:
        use = next(
            (
                use
                for use in written.uses
                if use.filter == error.filter_name and not use.asked and not _there(use.path, values)
            ),
            None,
        )
        if use is not None:
            return _missing(use, values)
    lines = {applied.line for applied in written.filters if applied.name == error.filter_name}
    line = lines.pop() if len(lines) == 1 else None
    if error.missing:
        return TemplateError(
            f"{error.filter_name} is given a name that has no value; write default before it",
            f"{error.filter_name} получает имя без значения; напишите перед ним default",
            line,
        )
    return TemplateError(error.en, error.ru, line)


def _missing(use: Use, values: Mapping[str, Any]) -> TemplateError:
    root, _, name = use.path.partition(".")
    group = values.get(root)
    names = [f"{root}.{one}" for one in group] if name and isinstance(group, Mapping) else list(values)
    near = near_name(use.path, names)
    guess, guess_ru = (f"; did you mean {near}?", f"; может быть, {near}?") if near else ("", "")
    return TemplateError(
        f"{use.path} has no value here{guess}; write {{{{ {use.path} | default('…') }}}}, "
        f"or {{% if {use.path} is defined %}} … {{% endif %}} around it",
        f"у {use.path} здесь нет значения{guess_ru}; напишите {{{{ {use.path} | default('…') }}}} "
        f"или {{% if {use.path} is defined %}} … {{% endif %}} вокруг",
        use.line,
        missing=use.path,
    )


def _value(path: str, values: Mapping[str, Any]) -> Any:
    root, _, name = path.partition(".")
    found = values.get(root)
    if not name:
        return found
    return found.get(name) if isinstance(found, Mapping) else None


def _there(path: str, values: Mapping[str, Any]) -> bool:
    return _value(path, values) is not None


def _too_long() -> TemplateError:
    return TemplateError(
        f"the result is longer than {OUTPUT_BYTES // 1024} KB; write less, or shorten values by | truncate(500)",
        f"получается больше {OUTPUT_BYTES // 1024} КБ; пишите меньше или сократите значения: | truncate(500)",
    )
