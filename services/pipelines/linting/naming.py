"""How stages are called: actions, outcomes, two styles in one scale (S4, S5). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from services.pipelines.linting.case import Case
from services.pipelines.linting.finding import Found, Said

STYLES = {
    "expected": Said("«что ожидается сделать»", "“what is to be done”"),
    "done": Said("«что сделано»", "“what was done”"),
}


def action_title(case: Case) -> Iterator[Found]:
    """An open stage named by something the seller does, or by its trace."""
    for n, stage in case.open_stages:
        named = [language for language, reading in case.readings[stage.id].items() if reading.form == "action"]
        if named:
            yield Found(
                ("stages", n, "titles", named[0]),
                Said(
                    f"«{stage.titles.ru}» ({stage.titles.en}) — действие, а не стадия",
                    f"“{stage.titles.en}” ({stage.titles.ru}) is an action, not a stage",
                ),
                (stage.id,),
            )


def outcome_title(case: Case) -> Iterator[Found]:
    """An open stage named as an outcome."""
    for n, stage in case.open_stages:
        named = [language for language, reading in case.readings[stage.id].items() if reading.form == "outcome"]
        if named:
            yield Found(
                ("stages", n, "titles", named[0]),
                Said(
                    f"«{stage.titles.ru}» ({stage.titles.en}) — исход, а стадия открытая",
                    f"“{stage.titles.en}” ({stage.titles.ru}) is an outcome, and the stage is open",
                ),
                (stage.id,),
            )


def mixed_style(case: Case) -> Iterator[Found]:
    """Open stages named in the other style than most. Titles that fit both styles, actions and outcomes do not count."""
    found: dict[str, tuple[int, str, str]] = {}
    for language in ("ru", "en"):
        forms = {stage.id: case.readings[stage.id][language].form for _, stage in case.open_stages}
        counted = Counter(form for form in forms.values() if form in STYLES)
        if len(counted) < 2:
            continue
        usual = "expected" if counted["expected"] >= counted["done"] else "done"
        for n, stage in case.open_stages:
            if forms[stage.id] in STYLES and forms[stage.id] != usual:
                found.setdefault(stage.id, (n, language, usual))
    for n, stage in case.open_stages:
        if stage.id not in found:
            continue
        _, language, usual = found[stage.id]
        here = STYLES["done" if usual == "expected" else "expected"]
        yield Found(
            ("stages", n, "titles", language),
            Said(
                f"«{stage.titles.ru}» названа в стиле {here.ru}, а большинство — {STYLES[usual].ru}",
                f"“{stage.titles.en}” is named by {here.en}, most others by {STYLES[usual].en}",
            ),
            (stage.id,),
        )
