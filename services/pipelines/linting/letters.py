"""Templates: what is wrong with them before anybody gets one, and which nothing sends (R3, C7, S5). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from contracts.pipeline import SendEmail, SendSms
from contracts.pipeline.names import Path
from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said
from services.pipelines.templates import Problem


def broken(case: Case) -> Iterator[Found]:
    """A template that cannot be written, or names what there is not."""
    yield from _problems(case, "error", no_way_out=False)


def no_way_out(case: Case) -> Iterator[Found]:
    """An advertising template that does not say how one ends it."""
    yield from _problems(case, "error", no_way_out=True)


def harmful(case: Case) -> Iterator[Found]:
    """A template that is written and may harm."""
    yield from _problems(case, "warning")


def gaps(case: Case) -> Iterator[Found]:
    """A name in a template that some leads have no value for: they will not get it."""
    yield from _problems(case, "info")


def _problems(
    case: Case, severity: Literal["error", "warning", "info"], *, no_way_out: bool | None = None
) -> Iterator[Found]:
    for path, problem, titles in case.letters:
        if problem.severity != severity or (no_way_out is not None and _is_way_out(problem) is not no_way_out):
            continue
        line = f"{problem.line}: " if problem.line is not None and not problem.en.startswith("line ") else ""
        ru = f"строка {line}" if line else ""
        en = f"line {line}" if line else ""
        yield Found(path, Said(f"шаблон «{titles.ru}»: {ru}{problem.ru}", f"template “{titles.en}”: {en}{problem.en}"))


def _is_way_out(problem: Problem) -> bool:
    """Whether it is that an advertising message says nothing of how one ends it."""
    return problem.about == "unsubscribe"


def unused(case: Case) -> Iterator[Found]:
    """A template that no robot sends."""
    sent = {
        robot.do.email if isinstance(robot.do, SendEmail) else robot.do.sms
        for stage in case.pipeline.stages
        for robot in stage.robots
        if isinstance(robot.do, SendEmail | SendSms)
    }
    for n, template in enumerate(case.pipeline.templates):
        if template.id not in sent:
            path: Path = ("templates", n)
            said = Said(
                f"шаблон «{template.titles.ru}» не отправляет ни один робот",
                f"no robot sends the template “{template.titles.en}”",
            )
            yield Found(path, said)
