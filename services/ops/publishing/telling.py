"""What the pipeline commands print: changes, objections, moves of leads, in Russian or English, and the same as JSON.

Pure. Invariants: nothing personal is in it: leads are named by id; every text stands in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from contracts.commands import Refusal
from services.leads.publishing.preview import Moves, Preview
from services.leads.publishing.rehearsing import Rehearsed
from services.leads.publishing.run import NAMED, Adopted, Published

WORDS = {
    "same": (
        "{name}: то же, что и действующая версия {number}",
        "{name}: the same as version {number}, which is in force",
    ),
    "against": ("{name}: против действующей версии {number}", "{name}: against version {number}, which is in force"),
    "new": ("{name}: новая воронка", "{name}: a new pipeline"),
    "changes": ("Изменения:", "Changes:"),
    "leads": ("Лиды сейчас:", "Leads now:"),
    "leads.open": ("в работе {count}", "{count} open"),
    "leads.postponed": ("отложены {count}", "{count} paused"),
    "leads.won": ("сделки {count}", "{count} won"),
    "leads.lost": ("забракованы {count}", "{count} rejected"),
    "objections": ("Опубликовать так нельзя:", "It cannot be published like this:"),
    "findings": ("Стоит исправить:", "Worth mending:"),
    "moves": (
        "Лиды, которые дальше пойдут по новой версии ({total}):",
        "Leads that go on under the new version ({total}):",
    ),
    "stay": ("остаются в своей стадии", "stay in their stage"),
    "nowhere": ("куда — не сказано", "where to is not said"),
    "no_adopt": (
        "Без --adopt-open они закончат по той версии, по которой идут ({total}).",
        "Without --adopt-open they end under the version they are under ({total}).",
    ),
    "erased": (
        "Лидов удалённых людей останется по прежней версии: {count}; с ними больше ничего не делают.",
        "{count} leads of erased persons stay under their version; nothing more is done with them.",
    ),
    "published": ("{name}: действует версия {number}", "{name}: version {number} is in force"),
    "in_force": ("{name}: версия {number} действует и так", "{name}: version {number} is in force already"),
    "moved": ("Переведено лидов: {count}", "{count} leads moved over"),
    "would_move": ("Перешло бы лидов: {count}", "{count} leads would move over"),
    "given_up": (
        "Роботов, которые ждут, в новой версии нет; они отменятся: {robots}",
        "Robots that are waiting are not in the new version and would be cancelled: {robots}",
    ),
    "refused": ("Не переведены ({count}), с причиной:", "Not moved ({count}), with the reason:"),
    "would_refuse": ("Не перешли бы ({count}), с причиной:", "Would not move ({count}), with the reason:"),
    "failed": ("внутренняя ошибка, журнал службы говорит почему", "an error of the service's own, its log says why"),
    "more": ("и ещё {count}", "and {count} more"),
    "again": (
        "Повторите ту же команду: она переведёт тех, кто ещё не переведён.",
        "Run the same command again: it moves those who are not moved yet.",
    ),
    "dry": ("Ничего не записано.", "Nothing was written."),
}


class Say:
    """Words in one language."""

    def __init__(self, language: str) -> None:
        self.english = language == "en"

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key."""
        return WORDS[key][self.english].format(**values)

    def of(self, told: Any) -> str:
        """Of anything with `ru` and `en`."""
        return str(told.en if self.english else told.ru)

    def failure(self, refusal: Refusal | None) -> str:
        """Why a lead was not moved."""
        return self("failed") if refusal is None else f"{self.of(refusal)} [{', '.join(refusal.rules)}]"


def difference(found: Preview, say: Say) -> list[str]:
    """What a text changes, where leads stand, what stands in the way."""
    name = found.pipeline.pipeline
    key = "same" if found.in_force else "against" if found.number else "new"
    lines = [say(key, name=name, number=found.number)]
    if found.changes:
        lines += [say("changes"), *(f"  - {say.of(change)}" for change in found.changes)]
    lines += _standing(found, say)
    lines += objected(found, say)
    lines += worth_mending(found, say)
    return lines


def _standing(found: Preview, say: Say) -> list[str]:
    if not found.standing:
        return []
    order = [stage.id for stage in found.pipeline.stages]
    lines = [say("leads")]
    for stage in (*order, *sorted(found.standing.keys() - set(order))):
        if of := found.standing.get(stage):
            counts = ", ".join(say(f"leads.{kind}", count=f"{count:,}") for kind, count in of.items())
            lines.append(f"  {_titled(found, stage, say)}: {counts}")
    return lines


def _titled(found: Preview, stage: str, say: Say) -> str:
    title = found.titles.get(stage)
    if title is None:
        return stage
    return f"“{title.en}” ({stage})" if say.english else f"«{title.ru}» ({stage})"


def objected(found: Preview, say: Say) -> list[str]:
    """What stands in the way of publishing."""
    if not found.objections:
        return []
    return [say("objections"), *(f"  - {say.of(objection)}" for objection in found.objections)]


def worth_mending(found: Preview, say: Say) -> list[str]:
    """What the linter finds by what the store knows: it forbids nothing."""
    told = [f"  - {one.said[say.english]} [{one.rule}]. {one.mend[say.english]}" for one in found.findings if one.fails]
    return [say("findings"), *told] if told else []


def moves(found: Preview, say: Say, *, adopt: bool) -> list[str]:
    """Which leads go where."""
    lines: list[str] = []
    if found.moves and adopt:
        lines = [say("moves", total=f"{found.moving:,}"), *(f"  {_move(found, move, say)}" for move in found.moves)]
    elif found.moves:
        lines = [say("no_adopt", total=found.moving)]
    if found.erased and adopt:
        lines.append(say("erased", count=found.erased))
    return lines


def _move(found: Preview, move: Moves, say: Say) -> str:
    where = say("nowhere")
    if move.to is not None:
        where = say("stay") if move.to == move.stage else f"→ {_titled(found, move.to, say)}"
    return f"{_titled(found, move.stage, say)}: {move.leads:,} {where}"


def rehearsed(found: Rehearsed, say: Say) -> list[str]:
    """What a rehearsal found."""
    lines = [say("would_move", count=f"{found.would_move:,}")]
    lines += refusals(found.refused, say("would_refuse", count=len(found.refused)), say)
    if found.given_up:
        lines.append(
            say("given_up", robots=", ".join(f"{robot} ({count:,})" for robot, count in found.given_up.items()))
        )
    return [*lines, say("dry")]


def published(made: Published, say: Say) -> list[str]:
    """What was put in force, and what became of the leads."""
    name, adopted = made.pipeline.pipeline, made.adopted
    lines = [say("published" if made.new else "in_force", name=name, number=made.number)]
    if adopted.moved or adopted.refused:
        lines.append(say("moved", count=f"{adopted.moved:,}"))
    lines += refusals(adopted.refused, say("refused", count=len(adopted.refused)), say)
    if adopted.refused:
        lines.append(say("again"))
    return lines


def refusals(refused: Mapping[UUID, Refusal | None], head: str, say: Say) -> list[str]:
    """Leads that were not moved, each with the reason."""
    if not refused:
        return []
    named = list(refused.items())[:NAMED]
    lines = [head, *(f"  {lead}: {say.failure(refusal)}" for lead, refusal in named)]
    return lines if len(named) == len(refused) else [*lines, f"  {say('more', count=len(refused) - len(named))}"]


def as_object(found: Preview) -> dict[str, Any]:
    """A preview for programs."""
    return {
        "pipeline": found.pipeline.pipeline,
        "number": found.number,
        "next": found.next,
        "changes": [{"what": c.what, "at": c.at, "ru": c.ru, "en": c.en} for c in found.changes],
        "objections": [{"what": o.what, "at": o.at, "ru": o.ru, "en": o.en} for o in found.objections],
        "leads": {stage: dict(kinds) for stage, kinds in found.standing.items()},
        "moves": [{"stage": m.stage, "to": m.to, "kind": m.kind, "leads": m.leads} for m in found.moves],
        "erased": found.erased,
        "findings": [
            {"rule": f.rule, "path": list(f.path), "ru": f.said.ru, "en": f.said.en} for f in found.findings if f.fails
        ],
    }


def refused_object(refused: Mapping[UUID, Refusal | None]) -> list[dict[str, Any]]:
    """Leads that were not moved, for programs: all of them."""
    return [
        {"lead": str(lead), "refusal": refusal.model_dump(mode="json") if refusal else None}
        for lead, refusal in refused.items()
    ]


def adopted_object(adopted: Adopted) -> dict[str, Any]:
    """What became of the leads, for programs."""
    return {"moved": adopted.moved, "left": adopted.left, "refused": refused_object(adopted.refused)}
