"""Whether it came out as a scenario says (Тогда): each phrase held against the lead as it stands, by the real rules.

Pure. A look answers None where it is as expected, else the two sides of the difference in words of the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from contracts import events as e
from contracts.commands import Missing, Refusal
from services.leads.domain.card import read_value
from services.leads.domain.criteria import held
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.proposals import proposals
from services.leads.domain.rules import check
from services.leads.domain.state import CONTACT_FIELDS
from services.leads.scenarios import looking_at_people, looking_at_work
from services.leads.scenarios.doing import StepError
from services.leads.scenarios.looking_at_deadlines import LOOKS as OF_DEADLINES
from services.leads.scenarios.looking_at_robots import LOOKS
from services.leads.scenarios.naming import Names, UnknownNameError, near, same
from services.leads.scenarios.play import REGION, Play
from services.leads.scenarios.script import Step
from services.leads.scenarios.texts import TEXTS, say
from services.pipelines.card_values import Unreadable

Difference = tuple[str, str]
"""What was expected, what came out."""
REASONS: Final = frozenset({"reason", "reason_id"})
"""What a refusal names where a reason is missing."""


def differs(step: Step, play: Play, names: Names) -> Difference | None:
    """How what came out differs from what the sentence says; None where it does not."""
    if play.lead is None and not (play.refusal and step.phrase in _WITHOUT_LEAD):
        raise StepError(say(names.language, "no_lead_yet"))
    return _LOOKS[step.phrase](step, play, names)


def words_of(refusal: Refusal, names: Names) -> str:
    """A refusal in words."""
    return refusal.ru if names.language == "ru" else refusal.en


def stands(play: Play, names: Names) -> str:
    """Where the lead stands and how it came there, in words."""
    state = play.there()
    moved = next((event for event in reversed(play.just) if isinstance(event, e.StageEntered)), None)
    stage = names.stage_title(state.stage)
    if play.refusal is not None:
        said = say(names.language, "refused_words", why=words_of(play.refusal, names))
        return f"{say(names.language, 'in_stage', stage=stage)}; {said}"
    if moved is None:
        other = f"; {say(names.language, 'other_lead')}" if play.another_lead else ""
        return say(names.language, "in_stage", stage=stage) + other
    cause = "auto" if moved.stage in play.by_itself else moved.cause
    return say(names.language, "in_stage_by", stage=stage, cause=say(names.language, f"cause.{cause}"))


def _stage(
    fits: Callable[[Play, str], bool], cause: str | None = None
) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        stage = names.stage(step.gaps["stage"])
        if play.there().stage == stage.id and fits(play, stage.id):
            return None
        title = names.title(stage.titles)
        if cause is None:
            return say(names.language, "in_stage", stage=title), stands(play, names)
        said = say(names.language, f"cause.{cause}")
        return say(names.language, "in_stage_by", stage=title, cause=said), stands(play, names)

    return look


def _did_not_move(play: Play, stage: str) -> bool:
    del stage
    return not any(isinstance(event, e.StageEntered) for event in play.just)


def _came_back(play: Play, stage: str) -> bool:
    entries = [event for event in play.just if isinstance(event, e.StageEntered)]
    return any(event.stage == stage and (event.direction == "return" or event.cause == "undone") for event in entries)


def _kind(kind: str) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        del step
        if play.there().kind == kind:
            return None
        return say(names.language, f"kind.{kind}"), stands(play, names)

    return look


def _refused(step: Step, play: Play, names: Names) -> Difference | None:
    refusal = play.refusal
    if refusal is None:
        return step.text, say(names.language, "no_refusal", what=stands(play, names))
    said, gaps = words_of(refusal, names), step.gaps
    came = say(names.language, "refused_by", rules=", ".join(refusal.rules), why=said)
    if "rule" in gaps and gaps["rule"] not in refusal.rules:
        return step.text, came
    if "words" in gaps and same(gaps["words"]) not in same(said):
        return step.text, came
    if step.phrase == "refused_missing":
        return _missing(step, refusal.missing, names, came)
    if step.phrase == "needs_reason" and REASONS.isdisjoint(lack.id for lack in refusal.missing):
        return say(names.language, "needs_reason"), came
    return None


def _lacking(step: Step, play: Play, names: Names) -> Difference | None:
    stage = names.stage(step.gaps["stage"])
    found = check(play.there(), stage.id, play.pipeline)
    lacks = found.refusal.missing if found.refusal is not None else ()
    return _missing(step, lacks, names, words_of(found.refusal, names) if found.refusal else "")


def _missing(step: Step, lacks: Iterable[Missing], names: Names, said: str) -> Difference | None:
    """Exactly these things are missing, each named by the criterion's words, its field's or fact's title, or its id."""
    left = list(lacks)
    wanted = step.items(step.gaps.get("missing"))
    there = [lack.ru if names.language == "ru" else lack.en for lack in left]
    unfound: list[str] = []
    for item in wanted:
        found = next((lack for lack in left if same(item) in _names_of(lack, names)), None)
        if found is None:
            unfound.append(item)
        else:
            left.remove(found)
    if not unfound and not left:
        return None
    expected = say(names.language, "missing", items="; ".join(wanted))
    if there:
        return expected, say(names.language, "missing", items="; ".join(there))
    return expected, said or say(names.language, "nothing_missing")


def _names_of(lack: Missing, names: Names) -> set[str]:
    known = names.pipeline.fields_by_id.get(lack.id) or names.pipeline.facts_by_id.get(lack.id)
    titles = (known.titles.ru, known.titles.en) if known is not None else ()
    contact = TEXTS.get(f"contact.{lack.id}", ()) if lack.what == "contact" else ()
    return {same(text) for text in (lack.id, lack.ru, lack.en, *titles, *contact)}


def _may(*, allowed: bool) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        stage = names.stage(step.gaps["stage"])
        found = check(play.there(), stage.id, play.pipeline)
        if found.allowed == allowed:
            return None
        title, why = names.title(stage.titles), words_of(found.refusal, names) if found.refusal else ""
        return step.text, say(names.language, "allowed" if found.allowed else "not_allowed", stage=title, why=why)

    return look


def _only_ways(step: Step, play: Play, names: Names) -> Difference | None:
    wanted = {names.stage(item.strip('«»"“” ')).id for item in step.items(step.gaps.get("stages"))}
    open_to = {stage.id for stage in play.pipeline.stages if check(play.there(), stage.id, play.pipeline).allowed}
    if wanted == open_to:
        return None
    return _ways(wanted, names), _ways(open_to, names)


def _ways(stages: set[str], names: Names) -> str:
    titles = [f"«{names.title(stage.titles)}»" for stage in names.pipeline.stages if stage.id in stages]
    return say(names.language, "ways", stages=", ".join(titles)) if titles else say(names.language, "no_ways")


def _proposed(step: Step, play: Play, names: Names) -> Difference | None:
    offered = [proposal.stage for proposal in proposals(play.there(), play.pipeline)]
    titles = ", ".join(f"«{names.stage_title(stage)}»" for stage in offered)
    came = say(names.language, "proposed", stages=titles) if offered else say(names.language, "nothing_proposed")
    if step.phrase == "nothing_proposed":
        return (step.text, came) if offered else None
    stage = names.stage(step.gaps["stage"])
    return (
        None
        if stage.id in offered
        else (say(names.language, "proposed", stages=f"«{names.title(stage.titles)}»"), came)
    )


def _card(step: Step, play: Play, names: Names) -> Difference | None:
    state = play.there()
    for detail in step.fields():
        name = names.field(detail.name or "")
        kept = (getattr(state, name) if name in CONTACT_FIELDS else state.card.get(name)) or ""
        wanted = _kept(name, detail.value, names)
        if wanted != kept:
            title = names.field_title(name)
            return (
                say(names.language, "field_is", field=title, value=names.shown(name, wanted)),
                say(names.language, "field_is", field=title, value=names.shown(name, kept)),
            )
    return None


def _kept(name: str, text: str, names: Names) -> str:
    """An expected value in the form that values are kept in."""
    if same(text) in map(same, TEXTS["empty"]):
        return ""
    if name == "phone":
        return normalise_phone(text, REGION) or text
    if name == "email":
        return normalise_email(text) or text
    field = names.pipeline.fields_by_id.get(name)
    if field is None:
        return text
    read = read_value(field, names.typed(field, text), REGION)
    if isinstance(read, Unreadable):
        raise StepError(read.ru if names.language == "ru" else read.en)
    return read


def _fact(step: Step, play: Play, names: Names) -> Difference | None:
    fact = names.fact(step.gaps["fact"])
    title = names.title(fact.titles)
    value = names.option(fact, step.gaps["value"]) if "value" in step.gaps else None
    now = held(play.there(), play.pipeline, fact.id)
    if step.phrase == "no_fact":
        return None if now is None else (step.text, say(names.language, "marked", fact=title))
    if now is not None and (value is None or now.value == value.id):
        return None
    expected = say(names.language, "marked", fact=title)
    if value is not None:
        expected = say(names.language, "marked_as", fact=title, value=names.title(value.titles))
    option = fact.option(now.value) if now is not None else None
    if now is None:
        return expected, say(names.language, "not_marked", fact=title)
    return expected, say(names.language, "marked_as", fact=title, value=names.title(option.titles) if option else "—")


def _remains(step: Step, play: Play, names: Names) -> Difference | None:
    outcomes = {key.removeprefix("outcome."): titles for key, titles in TEXTS.items() if key.startswith("outcome.")}
    wanted = next((o for o, titles in outcomes.items() if same(step.gaps["outcome"]) in map(same, titles)), None)
    if wanted is None:
        listed = [say(names.language, f"outcome.{outcome}") for outcome in outcomes]
        there = near(names.language, step.gaps["outcome"], listed)
        raise UnknownNameError(say(names.language, "no_outcome", text=step.gaps["outcome"], near=there))
    came = play.there().outcome
    if came == wanted:
        return None
    said = say(names.language, "remains", outcome=say(names.language, f"outcome.{came}")) if came else None
    expected = say(names.language, "remains", outcome=say(names.language, f"outcome.{wanted}"))
    return expected, said or say(names.language, "remains_all")


def _deal(*, counts: bool) -> Callable[[Step, Play, Names], Difference | None]:
    def look(step: Step, play: Play, names: Names) -> Difference | None:
        del step
        if play.deal_counts == counts:
            return None
        told = {True: say(names.language, "deal"), False: say(names.language, "no_deal")}
        return told[counts], f"{told[not counts]}; {stands(play, names)}"

    return look


def _override(step: Step, play: Play, names: Names) -> Difference | None:
    del step
    entries = [event for event in play.just if isinstance(event, e.StageEntered)]
    if any(event.basis == "override" for event in entries):
        return None
    return say(names.language, "override"), f"{say(names.language, 'no_override')}; {stands(play, names)}"


def _planned(step: Step, play: Play, names: Names) -> Difference | None:
    waiting = [a for a in play.there().activities.values() if a.done_at is None]
    titles = [say(names.language, f"activity.{activity.kind}") for activity in waiting]
    wanted = same(step.gaps["activity"])
    if any(wanted in (same(say(names.language, f"activity.{a.kind}")), same(a.text or "")) for a in waiting):
        return None
    came = (
        say(names.language, "activities", items=", ".join(titles)) if titles else say(names.language, "no_activities")
    )
    return step.text, came


_WITHOUT_LEAD: Final = frozenset({"refused", "refused_missing", "refused_rule", "refused_words", "needs_reason"})
_LOOKS: Final[dict[str, Callable[[Step, Play, Names], Difference | None]]] = {
    "stands": _stage(lambda play, stage: True),
    "stays": _stage(_did_not_move),
    "by_itself": _stage(lambda play, stage: stage in play.by_itself, "auto"),
    "comes_back": _stage(_came_back, "reopened"),
    "open": _kind("open"),
    "lost": _kind("lost"),
    "postponed": _kind("postponed"),
    "won": _kind("won"),
    "refused": _refused,
    "refused_missing": _refused,
    "refused_rule": _refused,
    "refused_words": _refused,
    "needs_reason": _refused,
    "lacking": _lacking,
    "allowed": _may(allowed=True),
    "not_allowed": _may(allowed=False),
    "only_ways": _only_ways,
    "proposed": _proposed,
    "nothing_proposed": _proposed,
    "card": _card,
    "fact": _fact,
    "no_fact": _fact,
    "remains": _remains,
    "deal_counts": _deal(counts=True),
    "no_deal": _deal(counts=False),
    "override_kept": _override,
    "planned": _planned,
    **looking_at_work.LOOKS,
    **looking_at_people.LOOKS,
    **LOOKS,
    **OF_DEADLINES,
}
