"""Robots under chaos: the pipeline that has them, and what the oracle counts of them (N1, N2, decisions 8 and 9).

The classic pipeline gets robots that start at once, after another one, after a delay, and write letters. The practice clock makes
delays pass: it stands still while the oracle looks. Independent of the product, as the oracle is.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid5

import asyncpg

from tests.chaos.fold import LEAD, Told

CLASSIC = Path(__file__).parents[2] / "contracts/pipelines/classic.yaml"
TEMPLATES = """templates:
  - id: hello
    titles: {ru: "Здравствуйте", en: "Hello"}
    kind: email
    ru: {subject: "Ваша заявка", text: "Здравствуйте, {{ lead.name }}!"}
    en: {subject: "Your form", text: "Hello {{ lead.name }}!"}

stages:
"""
NEW = """    kind: open
    robots:
      - {id: mark, titles: {ru: "Метка", en: "Mark"}, do: {tag: fresh}}
      - {id: letter, titles: {ru: "Письмо", en: "Letter"}, do: {email: hello}}
      - id: call
        titles: {ru: "Звонок", en: "Call"}
        start: {after: letter}
        do: {plan: call, text: {ru: "Позвонить", en: "Ring"}, due: {hours: 1}}
      - {id: later, titles: {ru: "Позже", en: "Later"}, start: {delay: {hours: 1}}, do: {tag: old}}
"""
PROCESSING = """    kind: open
    robots:
      - {id: taken, titles: {ru: "Взят", en: "Taken"}, do: {tag: taken}}
"""
ARMED_AT_ENTRY = {"new": {"mark", "letter", "later"}, "processing": {"taken"}}
"""What is armed when a lead enters the stage; `call` is armed by the letter that went out."""
CLOSED = frozenset({"ran", "skipped", "cancelled", "failed"})
MOST_ATTEMPTS = 60
"""Commands of one timer that are looked for: its id and the attempt make their ids."""
TOLD = 10


def pipeline() -> str:
    """The classic pipeline with these robots."""
    text = CLASSIC.read_text(encoding="utf-8").replace("stages:\n", TEMPLATES, 1)
    for stage, block in (("new", NEW), ("processing", PROCESSING)):
        text, count = re.subn(rf"(?m)(^  - id: {stage}\n    titles: .*\n)    kind: open\n", rf"\g<1>{block}", text)
        assert count == 1, f"the classic pipeline has no stage {stage}, or is written otherwise"
    return text


@dataclass(frozen=True, slots=True)
class Counts:
    """What robots did: `ran` and `closed` timers, effects done, letters at the sink, of them those that came twice."""

    ran: int = 0
    closed: int = 0
    waiting: int = 0
    done: int = 0
    letters: int = 0
    twice: int = 0
    doubtful: int = 0


async def check_robots(
    database: asyncpg.Connection, events: Sequence[Told], sink: Mapping[str, int], crashes: int, wrong: list[str]
) -> Counts:
    """All rules, over everything since the run began; complaints go to `wrong`."""
    now = await database.fetchval("SELECT practice_now FROM leadline.clock")
    ran, closed, waiting = _timers(events, now, wrong)
    _armed_at_entry(events, wrong)
    done, twice = _letters(events, sink, wrong)
    rows = await database.fetch("SELECT effect, in_doubt FROM leadline.effects")
    doubtful = {row["effect"] for row in rows if row["in_doubt"]}
    unlisted = [effect for effect in twice if effect not in doubtful]
    if unlisted:
        wrong.append(f"letters came twice, and the ledger does not list them: {unlisted[:TOLD]}")
    extra = sum(sink.values()) - len(sink)
    if extra > crashes:
        wrong.append(f"{extra} letters too many, of {crashes} crashes")
    return Counts(ran, closed, waiting, done, sum(sink.values()), extra, len(doubtful))


def _timers(events: Iterable[Told], now: datetime, wrong: list[str]) -> tuple[int, int, int]:
    """(those that ran, those closed, those not yet due). Armed once, closed once at most, once a visit; what is due is closed."""
    armed: dict[str, Told] = {}
    closed: set[str] = set()
    ran: Counter[tuple[UUID, int, str]] = Counter()
    for event in events:
        what = event.type.removeprefix(f"{LEAD}robot_")
        if what == "armed":
            if event.data["timer"] in armed:
                wrong.append(f"{event.stream}-{event.version}: a timer is armed twice")
            armed[event.data["timer"]] = event
        elif what in CLOSED:
            if event.data["timer"] in closed or event.data["timer"] not in armed:
                wrong.append(f"{event.stream}-{event.version}: {what} of a timer that is closed, or was never armed")
            closed.add(event.data["timer"])
            if what == "ran":
                ran[event.stream, event.data["visit"], event.data["robot"]] += 1
    wrong += [f"robot {robot} ran {n} times on {lead}, visit {v}" for (lead, v, robot), n in ran.items() if n > 1]
    open_ = [event for timer, event in armed.items() if timer not in closed]
    late = [event for event in open_ if datetime.fromisoformat(event.data["due_at"]) <= now]
    wrong += [f"due, and not closed: robot {event.data['robot']} of {event.stream}" for event in late[:TOLD]]
    return ran.total(), len(closed), len(open_)


def _armed_at_entry(events: Iterable[Told], wrong: list[str]) -> None:
    """N2: no lead entered a stage without its robots."""
    wanted: dict[tuple[UUID, int], set[str]] = {}
    armed: dict[tuple[UUID, int], set[str]] = defaultdict(set)
    for event in events:
        if event.type == LEAD + "stage_entered":
            wanted[event.stream, event.data["visit"]] = ARMED_AT_ENTRY.get(event.data["stage"], set())
        elif event.type == LEAD + "robot_armed":
            armed[event.stream, event.data["visit"]].add(event.data["robot"])
    for (lead, visit), robots in wanted.items():
        if robots - armed[lead, visit]:
            wrong.append(f"lead {lead}, visit {visit}: not armed: {robots - armed[lead, visit]}")


def _letters(events: Iterable[Told], sink: Mapping[str, int], wrong: list[str]) -> tuple[int, list[UUID]]:
    """(letters that the events say were sent, effects whose letter came more than once). Both sides name the same letters."""
    asked: dict[str, str] = {}
    ended: Counter[str] = Counter()
    for event in events:
        if event.type == LEAD + "effect_requested":
            if event.data["effect"] in asked:
                wrong.append(f"{event.stream}-{event.version}: an effect is requested twice")
            asked[event.data["effect"]] = event.data["message_id"]
        elif event.type == LEAD + "effect_done":
            ended[event.data["effect"]] += 1
        elif event.type == LEAD + "effect_failed":
            wrong.append(f"{event.stream}-{event.version}: a letter failed: {event.data['reason']}")
    wrong += [f"effect {effect} is done {count} times" for effect, count in ended.items() if count != 1]
    wrong += [f"effect {effect} was requested and is not done" for effect in list(asked.keys() - ended.keys())[:TOLD]]
    said = {asked[effect] for effect in ended if effect in asked}
    wrong += [f"done, and no such letter came: {each}" for each in list(said - sink.keys())[:TOLD]]
    wrong += [f"a letter came that no event says was sent: {each}" for each in list(sink.keys() - said)[:TOLD]]
    return len(ended), [UUID(effect) for effect in ended if sink.get(asked.get(effect, ""), 0) > 1]


def own_commands(events: Iterable[Told]) -> set[UUID]:
    """Ids of the commands that the reactors may have sent: each attempt of a timer, the report of each effect."""
    found: set[UUID] = set()
    for event in events:
        if event.type == LEAD + "robot_armed":
            timer = UUID(event.data["timer"])
            found |= {uuid5(timer, f"fire:{attempt}") for attempt in range(1, MOST_ATTEMPTS)}
        elif event.type == LEAD + "effect_requested":
            found.add(uuid5(UUID(event.data["effect"]), "report:0"))
    return found
