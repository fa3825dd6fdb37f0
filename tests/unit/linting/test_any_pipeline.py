"""Whatever pipeline is valid can be linted: every rule looks at it, every finding has a place in it (S5)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.pipeline import BUILT_IN_FACTS, MoveTo, Pipeline
from services.pipelines.lexicons import bundled
from services.pipelines.linting.history import History, Passing, Stay, Swing
from services.pipelines.linting.linter import lint
from services.pipelines.linting.rules import RULES_BY_ID
from tests.unit.linting.pipelines import titles

TITLES = (
    "Новый",
    "В обработке",
    "Отправить КП",
    "КП отправлено",
    "Подготовлено КП",
    "Отказ",
    "Оплата",
    "Договор подписан",
    "—",
)
WHENS = (None, "1 > 2", "true", "card.f0 == 'a'", "card.nothing", "facts.own0 == 'a' && lead.stage == 's0'")


TEMPLATES = [
    {"id": f"t{n}", "titles": titles("письмо"), "kind": "email", "marketing": n == 1,
     "ru": {"subject": "а", "text": text}, "en": {"subject": "a", "text": text}}
    for n, text in enumerate(["Здравствуйте", "{{ lead.name }} {{ card.f0 }}", "{{ gone }}", "{% if"])
]  # fmt: skip


def acts(here: str, along: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """What a robot does."""
    aside = [{"tag": "hot"}, {"email": "t0"}, {"email": "t2"}]
    return st.sampled_from([*aside, *({"move": to} for to in along if to != here)])


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    """A valid pipeline, as odd as the language allows."""
    opened = draw(st.integers(1, 6))
    kinds = ["open"] * opened + draw(
        st.lists(st.sampled_from(["won", "lost", "postponed", "open"]), min_size=1, max_size=4)
    )
    ids = [f"s{n}" for n in range(len(kinds))]
    along = [name for name, kind in zip(ids, kinds, strict=True) if kind in ("open", "won")]
    aside = [name for name, kind in zip(ids, kinds, strict=True) if kind in ("lost", "postponed")]
    roles = st.lists(st.sampled_from(["seller", "head"]), max_size=2, unique=True)
    fields = [{"id": f"f{n}", "titles": titles(f"Поле {n}"), "by": draw(roles)} for n in range(3)]
    options = [{"id": "a", "titles": titles("а"), "opens": draw(st.lists(st.sampled_from(ids), max_size=2))}]
    facts = [
        {"id": f"own{n}", "titles": titles("факт"), "by": draw(roles), "holds": draw(st.sampled_from(["lead", "visit"])),
         "options": draw(st.sampled_from([[], options]))}
        for n in range(2)
    ]  # fmt: skip
    when = st.sampled_from(WHENS)
    asked: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.builds(lambda f, w: {"fact": f, "when": w}, st.sampled_from([*BUILT_IN_FACTS, "own0", "own1"]), when),
        st.builds(lambda f, w: {"field": f, "when": w}, st.sampled_from(["f0", "f1", "f2"]), when),
        st.builds(lambda c: {"contact": c}, st.sampled_from(["name", "phone", "email", "reachable"])),
    )
    criteria = st.lists(asked, max_size=3)
    stages: list[dict[str, Any]] = []
    for name, kind in zip(ids, kinds, strict=True):
        stage: dict[str, Any] = {
            "id": name,
            "titles": titles(draw(st.sampled_from(TITLES))),
            "kind": kind,
            "by": draw(roles),
        }
        if kind == "open":
            stage["exit"] = draw(criteria)
            stage["mandatory"] = draw(st.lists(st.sampled_from(["f0", "f1"]), max_size=2, unique=True))
            stage["outcomes"] = (
                draw(st.one_of(st.none(), st.lists(st.sampled_from(aside), max_size=2, unique=True))) if aside else None
            )
        if kind != "won" and draw(st.booleans()):
            targets = draw(
                st.lists(st.sampled_from([to for to in along if to != name] or ["-"]), max_size=3, unique=True)
            )
            stage["moves"] = [
                {"to": to, "needs": (needs := draw(criteria)), "when": draw(when), "by": draw(roles),
                 "instead_of_exit": draw(st.booleans()), "auto": kind == "open" and bool(needs) and draw(st.booleans())}
                for to in targets if to != "-"
            ]  # fmt: skip
        if kind in ("lost", "postponed"):
            stage["reopen"] = draw(st.one_of(st.none(), st.just({"to": "s0"}), st.just({})))
        stage["robots"] = [
            {"id": f"{name}_r{n}", "titles": titles("робот"), "when": draw(when), "do": draw(acts(name, along)),
             "on_leave": draw(st.sampled_from(["cancel", "keep"])),
             "start": {"delay": {"days": draw(st.integers(1, 40))}, "after": f"{name}_r{n - 1}" if n else None}}
            for n in range(draw(st.integers(0, 2)))
        ]  # fmt: skip
        if kind != "postponed" and draw(st.booleans()):
            on = draw(st.sampled_from([{"on": "letter"}, {"on": "event", "type": "leadline.lead.stage_entered"}]))
            stage["triggers"] = [{"id": f"{name}_t", "titles": titles("триггер"), "when": draw(when), **on}]
        if kind == "open" and draw(st.booleans()):
            stage["limit"] = {"after": {"days": 14}}
        stages.append(stage)
    expected = [
        {
            "rule": draw(st.sampled_from([*RULES_BY_ID, "S5.other"])),
            "stage": draw(st.sampled_from([None, *ids])),
            "why": titles("так"),
        }
        for _ in range(draw(st.integers(0, 2)))
    ]
    return Pipeline.model_validate(
        {"pipeline": "p", "titles": titles("В"), "conversion_point": draw(st.sampled_from(along)), "fields": fields,
         "facts": facts, "templates": TEMPLATES, "stages": stages, "expected_findings": expected}
    )  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(pipelines(), st.integers(0, 40), st.floats(0, 1_000))
def test_S5_any_pipeline_is_linted_and_every_finding_stands_in_it(
    pipeline: Pipeline, count: int, seconds: float
) -> None:
    names = list(pipeline.by_id)
    history = History(
        stays={name: Stay(count, seconds) for name in names},
        passings={name: Passing(count, count // 2) for name in names},
        swings={(names[0], name): Swing(count, count // 3) for name in names[1:]},
    )
    found = lint(pipeline, bundled(), history)
    tree: Any = pipeline.model_dump()
    for finding in found:
        node = tree
        for step in finding.path:
            node = node[step]
        assert finding.rule in RULES_BY_ID
        assert set(finding.stages) <= set(names)
        of_a_template = finding.rule.startswith(("R3.", "C7."))  # its words may show what is written in templates
        assert of_a_template or "{" not in finding.said.ru + finding.said.en
    assert found == lint(pipeline, bundled(), history)
    without = lint(pipeline, bundled())
    of_history = {rule.id for rule in RULES_BY_ID.values() if rule.of_history}
    assert [f for f in found if f.rule not in of_history and f.rule != "S5.expected_is_gone"] == [
        f for f in without if f.rule != "S5.expected_is_gone"
    ]


def _by_machines(pipeline: Pipeline, here: str) -> set[str]:
    """Where robots take leads from a stage, and triggers fetch them to."""
    stage = pipeline.by_id[here]
    there = {robot.do.move for robot in stage.robots if isinstance(robot.do, MoveTo) and robot.when != "1 > 2"}
    for other in pipeline.stages:
        fetches = any(trigger.when != "1 > 2" for trigger in other.triggers)
        before = other.kind not in ("open", "won") or pipeline.steps.get(here, 0) < pipeline.steps[other.id]
        if fetches and stage.kind == "open" and before and other.id != here:
            there.add(other.id)
    return there


@settings(max_examples=100, deadline=None)
@given(pipelines())
def test_S5_what_is_unreachable_no_way_leads_to(pipeline: Pipeline) -> None:
    """An oracle of its own: what can be reached, by looking from each stage to the next until nothing is added."""
    told = {f.stages[0] for f in lint(pipeline, bundled()) if f.rule == "S5.unreachable"}
    scale = [s.id for s in pipeline.stages if s.kind in ("open", "won")]
    there = {pipeline.stages[0].id}
    before: set[str] = set()
    while before != there:
        before = set(there)
        for stage in pipeline.stages:
            if stage.id not in there:
                continue
            machines = _by_machines(pipeline, stage.id)
            if stage.kind == "open" and stage.moves is None:
                here = pipeline.steps[stage.id]
                usual = {
                    to for to in scale if pipeline.steps[to] == here + 1 or scale.index(to) < scale.index(stage.id)
                }
                there |= usual if stage.by else usual & machines
            for move in stage.moves or ():
                if (move.auto or move.by or stage.by or move.to in machines) and move.when != "1 > 2":
                    there.add(move.to)
            if stage.kind == "open":
                out = {s.id for s in pipeline.stages if s.kind in ("lost", "postponed")}
                stated = out if stage.outcomes is None else set(stage.outcomes)
                there |= stated if stage.by else stated & machines
            if stage.reopen is not None and stage.reopen.to is not None:
                there.add(stage.reopen.to)
    assert told == {s.id for s in pipeline.stages} - there
