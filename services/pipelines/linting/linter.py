"""The linter: every rule held against a pipeline, and what is expected told apart (S5). Pure.

The same pipeline, lexicon, settings and history give the same findings in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from contracts.pipeline import ExpectedFinding, Pipeline
from services.pipelines.linting.case import Case, Settings
from services.pipelines.linting.finding import Finding, Found, Said
from services.pipelines.linting.history import History
from services.pipelines.linting.lexicon import Lexicons
from services.pipelines.linting.rule import LintRule
from services.pipelines.linting.rules import LINT_RULES, RULES_BY_ID

NO_HISTORY = History()
GONE = RULES_BY_ID["S5.expected_is_gone"]


def lint(
    pipeline: Pipeline,
    lexicons: Lexicons,
    history: History | None = None,
    settings: Settings | None = None,
    teams: frozenset[str] | None = None,
) -> tuple[Finding, ...]:
    """All findings on a pipeline, in the order of the rule book; those of its history, and of the teams it names, where these
    are given."""
    case = Case(pipeline, lexicons, settings or Settings(), history or NO_HISTORY, teams or frozenset())
    rules = [
        rule
        for rule in LINT_RULES
        if (history is not None or not rule.of_history) and (teams is not None or not rule.of_teams)
    ]
    found = _found(rules, case)
    return (*_with_expected(found, pipeline.expected_findings), *_gone(found, pipeline, {rule.id for rule in rules}))


def lint_teams(pipeline: Pipeline, lexicons: Lexicons, teams: frozenset[str]) -> tuple[Finding, ...]:
    """The findings of the rules that look at teams, alone: what is told before a version is published."""
    case = Case(pipeline, lexicons, Settings(), NO_HISTORY, teams)
    found = _found([rule for rule in LINT_RULES if rule.of_teams], case)
    return tuple(_with_expected(found, pipeline.expected_findings))


def _found(rules: Iterable[LintRule], case: Case) -> list[Finding]:
    return [_finding(rule, seen) for rule in rules if rule.look is not None for seen in rule.look(case)]


def _finding(rule: LintRule, seen: Found) -> Finding:
    return Finding(rule.id, rule.severity, seen.path, seen.said, rule.why, rule.mend, seen.stages)


def _with_expected(found: Iterable[Finding], expected: tuple[ExpectedFinding, ...]) -> Iterator[Finding]:
    for finding in found:
        reason = next((e for e in expected if _meant(e, finding)), None)
        yield finding if reason is None else replace(finding, expected=Said(reason.why.ru, reason.why.en))


def _meant(expected: ExpectedFinding, finding: Finding) -> bool:
    return expected.rule == finding.rule and (expected.stage is None or expected.stage in finding.stages)


def _gone(found: list[Finding], pipeline: Pipeline, looked: set[str]) -> Iterator[Finding]:
    """Expected findings that do not occur, of the rules that were looked at."""
    for n, expected in enumerate(pipeline.expected_findings):
        rule = RULES_BY_ID.get(expected.rule)
        if any(_meant(expected, finding) for finding in found):
            continue
        if rule is None:
            known = ", ".join(RULES_BY_ID)
            said = Said(f"правила {expected.rule} нет; есть: {known}", f"no rule {expected.rule}; there are: {known}")
        elif rule.id not in looked:
            continue
        else:
            where = f" ({expected.stage})" if expected.stage else ""
            said = Said(f"замечания {rule.id}{where} здесь нет", f"there is no finding {rule.id}{where} here")
        stages = (expected.stage,) if expected.stage else ()
        yield _finding(GONE, Found(("expected_findings", n), said, stages))
