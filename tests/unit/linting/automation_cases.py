"""Pipelines that the rules about robots, triggers and templates flag, and such as look alike and are right (N3, R1-R5, C7)."""

from __future__ import annotations

from typing import Any

from contracts.pipeline import Pipeline
from tests.unit.linting.pipelines import pipeline, stage, titles

SEEN: list[dict[str, Any]] = [{"fact": "seen"}]
OWN = {"id": "agreed", "titles": titles("договорились")}
OWN_VISIT = {**OWN, "holds": "visit"}
DAY = {"id": "day", "titles": titles("День"), "type": "date"}
TAGGED = {"on": "event", "type": "leadline.lead.tag_added"}
ENTERED = {"on": "event", "type": "leadline.lead.stage_entered"}


def robot(name: str, do: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A robot."""
    return {"id": name, "titles": titles(name), "do": do, **more}


def trigger(name: str, **more: Any) -> dict[str, Any]:
    """A trigger; on a letter where nothing else is said."""
    return {"id": name, "titles": titles(name), "on": "letter", **more}


def letter(name: str = "hello", text: str = "Здравствуйте!", **more: Any) -> dict[str, Any]:
    """A template of a letter, the same in both languages."""
    written = {"subject": "Тема", "text": text}
    return {"id": name, "titles": titles(name), "kind": "email", "ru": written, "en": written, **more}


def written(*templates: dict[str, Any], send: str = "hello") -> Pipeline:
    """A pipeline whose first stage sends a letter."""
    return pipeline(stage("s0", robots=[robot("r0", {"email": send})]), templates=list(templates))


def to_and_fro(**of_the_robots: Any) -> Pipeline:
    """Two stages; robots move leads to the second and back."""
    return pipeline(
        stage("s0", robots=[robot("r0", {"move": "s1"}, **of_the_robots)]),
        stage("s1", robots=[robot("r1", {"move": "s0"})]),
        fields=[DAY],
        facts=[OWN],
    )


def to_and_fro_by(do: dict[str, Any], kind: str) -> Pipeline:
    """Two stages: what a robot does in the first pulls a trigger to the second, whose robot moves leads back."""
    return pipeline(
        stage("s0", robots=[robot("r0", do)]),
        stage("s1", triggers=[trigger("t0", on="event", type=kind)], robots=[robot("r1", {"move": "s0"})]),
    )


def writing(field: str, value: str) -> Pipeline:
    """A robot that writes into a field."""
    glass = {
        "id": "glass",
        "titles": titles("Стекло"),
        "type": "choice",
        "options": [{"id": "single", "titles": titles("Одно")}],
    }
    size, price = {"id": "size", "titles": titles("Длина")}, {"id": "price", "titles": titles("Цена")}
    fields = [DAY, glass, {**size, "type": "number"}, {**price, "type": "money"}]
    return pipeline(stage("s0", robots=[robot("r0", {"field": field, "value": value})]), fields=fields)


def chain(before: dict[str, Any], **more: Any) -> Pipeline:
    """A stage with a robot, and one that follows it."""
    follows = robot("r1", {"tag": "hot"}, start={"after": "r0"}, **more)
    return pipeline(stage("s0", robots=[before, follows]), stage("s1"), facts=[OWN])


def limited(limit: dict[str, Any], *robots: dict[str, Any]) -> Pipeline:
    """A stage with a time limit and robots."""
    return pipeline(stage("s0", limit={"after": limit}, robots=list(robots)), fields=[DAY])


FLAGGED_ROBOTS: dict[str, list[Pipeline]] = {
    "N3.robot_circle": [
        to_and_fro(),
        to_and_fro(start={"delay": {"days": 30}}),
        to_and_fro(when="true"),
        pipeline(
            stage("s0", moves=[{"to": "s1", "auto": True, "needs": SEEN}, {"to": "won"}]),
            stage("s1", robots=[robot("r0", {"move": "s0"})]),
        ),
        pipeline(  # a trigger on what machines do goes on by itself
            stage("s0", robots=[robot("r0", {"move": "s1"})]),
            stage("s1"),
            stage("s2", triggers=[trigger("t0", **ENTERED)], robots=[robot("r1", {"move": "s0"})]),
        ),
        to_and_fro_by({"field": "company", "value": "ООО"}, "leadline.lead.card_recorded"),
        to_and_fro_by({"assign": "next"}, "leadline.lead.assigned"),
        to_and_fro_by({"tag": "hot"}, "leadline.deal.tag_added"),
    ],
    "N3.conditional_circle": [
        to_and_fro(when="has(facts.agreed)"),
        to_and_fro(start={"date": "day"}),
        pipeline(
            stage("s0", exit=[{"fact": "agreed"}], robots=[robot("r0", {"move": "s1"})]),
            stage("s1", robots=[robot("r1", {"move": "s0"})]),
            facts=[OWN_VISIT],
        ),
    ],
    "R2.unreadable_value": [
        writing("day", "завтра"),
        writing("size", "много"),
        writing("price", "даром"),
        writing("glass", "triple"),
        writing("phone", "нет"),
        writing("email", "нет"),
    ],
    "R5.unknown_event": [
        pipeline(stage("s0"), stage("s1", triggers=[trigger("t0", on="event", type="leadline.lead.offer_mode")])),
        pipeline(stage("s0"), stage("s1", triggers=[trigger("t0", on="event", type="leadline.contact.made")])),
    ],
    "R2.move_not_allowed": [
        pipeline(stage("s0"), stage("lost", "Отказ", "lost", "Refused", robots=[robot("r0", {"move": "s0"})])),
        pipeline(
            stage("s0"),
            stage("lost", "Отказ", "lost", "Refused", reopen={"to": "s0"}, robots=[robot("r0", {"move": "s0"})]),
        ),
        pipeline(stage("s0"), stage("later", "Отложен", "postponed", "Later", robots=[robot("r0", {"move": "s0"})])),
        pipeline(
            stage("s0", triggers=[trigger("t0", from_stages=["later"])]),
            stage("later", "Отложен", "postponed", "Later"),
        ),
        pipeline(stage("s0", moves=[{"to": "won"}], robots=[robot("r0", {"move": "s1"})]), stage("s1")),
        pipeline(stage("s0", robots=[robot("r0", {"move": "s2"})]), stage("s1"), stage("s2")),
        pipeline(
            stage("s0", outcomes=["lost"], robots=[robot("r0", {"reject": "silent"})]),
            stage("silent", "Молчит", "lost", "Silent"),
            stage("lost", "Отказ", "lost", "Refused"),
        ),
        pipeline(
            stage("s0"),
            stage("s1"),
            stage("won", "Сделка", "won", "Deal", triggers=[trigger("t0", from_stages=["s0"])]),
        ),
    ],
    "R1.never_starts": [
        chain(robot("r0", {"tag": "warm"}, when="1 > 2")),
        chain(robot("r0", {"move": "s1"})),
        chain(robot("r0", {"reject": "lost"})),
        pipeline(
            stage(
                "s0",
                robots=[
                    robot("r0", {"tag": "warm"}, when="false"),
                    robot("r1", {"tag": "hot"}, start={"after": "r0"}),
                    robot("r2", {"tag": "hot"}, start={"after": "r1"}),
                ],
            )
        ),
        pipeline(
            stage(
                "s0",
                robots=[
                    robot("r0", {"move": "s2"}),
                    robot("r1", {"tag": "hot"}, start={"after": "r0"}, on_leave="keep"),
                ],
            ),
            stage("s1"),
            stage("s2"),
        ),
    ],
    "S5.robot_after_limit": [
        limited({"days": 7}, robot("r0", {"tag": "hot"}, start={"delay": {"days": 8}})),
        limited({"hours": 1, "working": True}, robot("r0", {"tag": "hot"}, start={"delay": {"days": 1}})),
        limited({"months": 1}, robot("r0", {"tag": "hot"}, start={"delay": {"days": 22, "working": True}})),
        limited(
            {"days": 3},
            robot("r0", {"tag": "warm"}, start={"delay": {"days": 2}}),
            robot("r1", {"tag": "hot"}, start={"after": "r0", "delay": {"days": 2}}),
        ),
    ],
    "R3.broken_template": [
        written(letter(text="Здравствуйте, {{ lead.nmae }}!")),
        written(letter(text="Ждём вас {{ card.day }}")),
        written(letter(text="{% if lead.name %}Здравствуйте")),
        written(letter(text="В течение {{ terms.call_back }}")),
    ],
    "C7.no_way_out": [written(letter(text="Приходите!", marketing=True))],
    "R3.harmful_template": [
        pipeline(
            stage("s0", robots=[robot("r0", {"email": "hello"})]),
            templates=[{**letter(), "ru": {"subject": "Тема", "text": "Привет", "html": "<p>Привет</p>"}}],
        ),
    ],
    "R3.template_gap": [written(letter(text="Здравствуйте, {{ lead.name }}!"))],
    "R3.unused_template": [written(letter(), letter("other"))],
}
RIGHT_ROBOTS: dict[str, list[Pipeline]] = {
    "N3.robot_circle": [
        to_and_fro(when="has(facts.agreed)"),
        to_and_fro(when="1 > 2"),
        pipeline(stage("s0", robots=[robot("r0", {"move": "s1"})]), stage("s1", moves=[{"to": "s0"}, {"to": "won"}])),
        pipeline(  # a client has to write each time
            stage("s0"), stage("s1", triggers=[trigger("t0")], robots=[robot("r0", {"move": "s0"})])
        ),
        pipeline(  # a person has to put the tag on each time
            stage("s0"),
            stage("s1", triggers=[trigger("t0", **TAGGED)], robots=[robot("r0", {"move": "s0"})]),
        ),
        pipeline(  # of automatic moves alone: N3.automatic_loop
            stage("s0", moves=[{"to": "s1", "auto": True, "needs": SEEN}, {"to": "won"}]),
            stage("s1", moves=[{"to": "s0", "auto": True, "needs": SEEN}]),
        ),
    ],
    "N3.conditional_circle": [to_and_fro(), to_and_fro(when="1 > 2"), pipeline(stage("s0"), stage("s1"))],
    "R2.unreadable_value": [
        writing("day", "24.12.2026"),
        writing("day", ""),
        writing("size", "2,4"),
        writing("price", "120 000 ₽"),
        writing("glass", "single"),
        writing("phone", "+7 900 123-45-67"),
        writing("email", "info@example.org"),
        writing("company", "ООО «Ромашка»"),
    ],
    "R5.unknown_event": [
        pipeline(stage("s0"), stage("s1", triggers=[trigger("t0", on="event", type="leadline.lead.offer_made")])),
        pipeline(stage("s0"), stage("s1", triggers=[trigger("t0", on="event", type="leadline.deal.offer_made")])),
        pipeline(stage("s0"), stage("s1", triggers=[trigger("t0")])),
    ],
    "R2.move_not_allowed": [
        pipeline(
            stage("s0"),
            stage("lost", "Отказ", "lost", "Refused", moves=[{"to": "s0"}], robots=[robot("r0", {"move": "s0"})]),
        ),
        pipeline(
            stage("s0", triggers=[trigger("t0", from_stages=["later"])]),
            stage("later", "Отложен", "postponed", "Later", moves=[{"to": "s0"}]),
        ),
        pipeline(stage("s0", robots=[robot("r0", {"move": "s1"})]), stage("s1", robots=[robot("r1", {"move": "s0"})])),
        pipeline(stage("s0", by=[], robots=[robot("r0", {"move": "s1"})]), stage("s1")),
        pipeline(stage("s0"), stage("lost", "Отказ", "lost", "Refused", triggers=[trigger("t0")])),
        pipeline(stage("s0"), stage("s1"), stage("won", "Сделка", "won", "Deal", triggers=[trigger("t0")])),
    ],
    "R1.never_starts": [
        chain(robot("r0", {"tag": "warm"})),
        chain(robot("r0", {"tag": "warm"}, when="1 > 2"), when_predecessor_did_not_run="run"),
        chain(robot("r0", {"move": "s1"}), on_leave="keep"),
        chain(robot("r0", {"tag": "warm"}, when="has(facts.agreed)")),
    ],
    "S5.robot_after_limit": [
        limited({"days": 7}, robot("r0", {"tag": "hot"}, start={"delay": {"days": 7}})),
        limited({"months": 1}, robot("r0", {"tag": "hot"}, start={"delay": {"months": 1}})),
        limited({"days": 7}, robot("r0", {"tag": "hot"}, start={"delay": {"days": 5, "working": True}})),
        limited({"days": 7}, robot("r0", {"tag": "hot"}, start={"date": "day", "delay": {"days": 30}})),
        pipeline(stage("s0", robots=[robot("r0", {"tag": "hot"}, start={"delay": {"months": 12}})])),
    ],
    "R3.broken_template": [
        written(letter(text="Здравствуйте, {{ lead.name }}!")),
        written(letter(text="Приходите!", marketing=True)),
        pipeline(
            stage("s0", robots=[robot("r0", {"email": "hello"})]),
            templates=[letter(text="В течение {{ terms.call_back }}")],
            terms=[{"id": "call_back", "titles": titles("Перезвонить"), "period": {"hours": 1}}],
        ),
    ],
    "C7.no_way_out": [
        written(letter(text="Приходите! {{ unsubscribe }}", marketing=True)),
        written(letter(text="Ваш заказ готов")),
        written(letter(text="Здравствуйте, {{ lead.nmae }}!")),
    ],
    "R3.harmful_template": [written(letter())],
    "R3.template_gap": [written(letter(text="Здравствуйте, {{ lead.name | default('друг') }}!"))],
    "R3.unused_template": [written(letter())],
}
