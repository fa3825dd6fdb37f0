"""What a new version of a team changes, in Russian and English, each change with what it is about. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.team import Member, Team
from services.pipelines.change import Change

PARTS = {
    "skills": ("навыки", "skills"),
    "languages": ("языки", "languages"),
    "directions": ("направления", "directions"),
    "weight": ("вес", "weight"),
    "manager": ("менеджер", "manager"),
    "since": ("в команде с", "since"),
}


def differences(old: Team, new: Team) -> Sequence[Change]:
    """What changes from one version to another: the team's own, then its members in the new order, then whoever is gone."""
    return (*_own(old, new), *_members(old, new))


def _own(old: Team, new: Team) -> Iterator[Change]:
    if old.titles != new.titles:
        yield Change(
            "titles",
            new.team,
            f"«{old.titles.ru}» теперь «{new.titles.ru}»",
            f"“{old.titles.en}” is now “{new.titles.en}”",
        )
    for what, ru, en in (("head", "руководитель", "head"), ("calendar", "календарь", "calendar")):
        was, now = getattr(old, what), getattr(new, what)
        if was != now:
            yield Change(what, now or new.team, f"{ru}: был {was or '—'}, стал {now or '—'}", _en(en, was, now))
    if old.escalation != new.escalation:
        misses, days = new.escalation.misses, new.escalation.days
        yield Change(
            "escalation",
            new.team,
            f"эскалация: при пропуске № {misses} за {days} дн.",
            f"escalation: at miss {misses} within {days} days",
        )
    if old.digest != new.digest:
        told = (
            ("письмо-сводка включено", "the digest is on")
            if new.digest
            else ("письмо-сводка выключено", "the digest is off")
        )
        yield Change("digest", new.team, *told)


def _members(old: Team, new: Team) -> Iterator[Change]:
    for name, member in new.by_name.items():
        before = old.by_name.get(name)
        if before is None:
            yield Change("member_added", name, f"{name}: в команде", f"{name}: joins")
        elif before != member:
            yield from _member(before, member)
    for name in old.by_name.keys() - new.by_name.keys():
        yield Change(
            "member_removed",
            name,
            f"{name}: больше не в списке; если ушёл, оставьте его с днём ухода left, чтобы было видно, чьи лиды раздать",
            f"{name}: no longer listed; whoever left stays listed with the day (left), so that their leads are handed over",
        )


def _member(before: Member, member: Member) -> Iterator[Change]:
    name = member.name
    if before.left != member.left:
        if member.left is None:
            yield Change("member_back", name, f"{name}: снова в команде", f"{name}: is back")
        else:
            yield Change(
                "member_left",
                name,
                f"{name}: ушёл с {member.left:%d.%m.%Y}; раздать лиды: leadline team handover {name}",
                f"{name}: left on {member.left.isoformat()}; to hand over their leads: leadline team handover {name}",
            )
    if before.takes != member.takes:
        told = (
            ("снова получает лиды", "is assigned leads again")
            if member.takes
            else ("больше не получает лидов", "is assigned no leads any more")
        )
        yield Change("member_takes", name, f"{name}: {told[0]}", f"{name}: {told[1]}")
    if before.quota != member.quota:
        yield Change(
            "member_quota",
            name,
            f"{name}: открытых не больше {_most(member.quota.open)}, в день не больше {_most(member.quota.day)}",
            f"{name}: at most {_most(member.quota.open)} open, {_most(member.quota.day)} a day",
        )
    for part, (ru, en) in PARTS.items():
        was, now = getattr(before, part), getattr(member, part)
        if was != now:
            yield Change(f"member_{part}", name, f"{name}: {ru}: {_said(now)}", f"{name}: {en}: {_said(now)}")


def _en(what: str, was: object, now: object) -> str:
    return f"{what}: was {was or 'none'}, now {now or 'none'}"


def _most(number: int | None) -> str:
    return "∞" if number is None else str(number)


def _said(value: object) -> str:
    return ", ".join(value) or "—" if isinstance(value, tuple) else "—" if value is None else str(value)
