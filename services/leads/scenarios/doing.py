"""From a sentence of a scenario to what is given or done (Дано, Когда): a command on the lead, a message of the client, time.

Pure. Raises `UnknownNameError` for a name that names nothing and `StepError` for what cannot be done so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from contracts import commands as c
from contracts.pipeline import CardField, Fact, Titles
from services.leads.domain.card import read_value
from services.leads.domain.identities import normalise_email, normalise_phone
from services.leads.domain.reviews.judging import waiting
from services.leads.domain.state import CONTACT_FIELDS
from services.leads.scenarios.naming import Names, UnknownNameError, near, same
from services.leads.scenarios.people import People
from services.leads.scenarios.play import REGION, Play
from services.leads.scenarios.script import Detail, Step
from services.leads.scenarios.texts import TEXTS, say
from services.leads.scenarios.times import day, later, moment_of
from services.pipelines.card_values import Unreadable


class StepError(ValueError):
    """What a sentence says cannot be done so; the message says why."""


CURRENCIES: Final = ("RUB", "USD", "EUR", "KZT", "BYN", "CNY")
_AMOUNT = CardField(id="amount", titles=Titles(ru="Стоимость", en="Price"), type="money", currencies=CURRENCIES)
_BUILT_IN: Final[dict[str, Callable[[str | None], dict[str, Any]]]] = {
    "seen": lambda value: {"type": "see"},
    "accepted": lambda value: {"type": "accept"},
    "call_held": lambda value: {"type": "hold", "kind": "call", "result": value},
    "meeting_held": lambda value: {"type": "hold", "kind": "meeting", "result": value},
    "answer": lambda value: {"type": "answer", "answer": value},
    "approved": lambda value: {"type": "approve"},
}
"""How a built-in fact is recorded where a scenario says that somebody marks it."""


def perform(step: Step, play: Play, names: Names) -> None:
    """Do what the sentence says. Raises StepError, UnknownNameError."""
    try:
        _perform(step, play, names)
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise StepError(say(names.language, "not_valid", why=why)) from None


def _perform(step: Step, play: Play, names: Names) -> None:
    phrase, gaps = step.phrase, step.gaps
    if phrase == "nothing":
        return
    if phrase == "team" or phrase.startswith("person_"):
        _staff(step, play, names)
        return
    if phrase == "today":
        play.pass_time(datetime.combine(_day(names, gaps["day"]), time(10), UTC))
    elif phrase in ("time", "after"):
        moment = later(play.now, gaps["period"])
        if moment is None:
            raise StepError(say(names.language, "no_period", text=gaps["period"]))
        play.pass_time(moment)
    elif phrase == "lead":
        _place(step, play, names)
    elif phrase == "capture":
        if play.lead is not None:
            raise StepError(say(names.language, "lead_there"))
        play.enter_by_hand(step.actor or "seller", capture_of(step, names))
    elif phrase in ("mail_down", "mail_up"):
        play.mail(works=phrase == "mail_up")
    elif phrase == "dials":
        _dial(step, play, names)
    elif phrase in _REFUSED:
        if play.lead is None:
            raise StepError(say(names.language, "no_lead_yet"))
        play.refuse(_REFUSED[phrase])
    elif phrase in _MESSAGES:
        play.arrive(*_MESSAGES[phrase](step, play, names))
    else:
        if play.lead is None:
            raise StepError(say(names.language, "no_lead_yet"))
        play.act(step.actor or "seller", command(step, play, names))


def _staff(step: Step, play: Play, names: Names) -> None:
    """Who works there, and what each can take (C4)."""
    people, phrase, gaps = play.people, step.phrase, step.gaps
    if play.lead is not None:
        raise StepError(say(names.language, "team_before_lead"))
    if phrase == "team":
        members = step.items(gaps.get("people"))
        if not members:
            raise StepError(say(names.language, "nobody_in_team"))
        _written_as_in_a_file(members, names)
        people.team(gaps.get("team"), members)
        return
    if not people.said:
        raise StepError(say(names.language, "no_team_yet"))
    who = gaps["who"]
    if who not in people.names:
        raise UnknownNameError(say(names.language, "no_person", text=who, near=near(names.language, who, people.names)))
    if phrase in _CAN:
        _written_as_in_a_file(ids := step.items(gaps["ids"]), names)
        people.can(who, _CAN[phrase], ids)
    elif phrase in ("person_has", "person_at_most"):
        if not re.fullmatch(r"\d{1,4}", gaps["count"].strip()):
            raise StepError(say(names.language, "no_number", text=gaps["count"]))
        (people.has if phrase == "person_has" else people.at_most)(who, int(gaps["count"]))
    else:
        _IS[phrase](people, who)


def _written_as_in_a_file(words: tuple[str, ...], names: Names) -> None:
    for word in words:
        if not word.isascii():
            raise StepError(say(names.language, "not_of_a_team_file", text=word))


_CAN: Final = {"person_skills": "skills", "person_languages": "languages", "person_directions": "directions"}
_IS: Final = {"person_away": People.away, "person_takes_none": People.takes_none, "person_had_last": People.had_last}


def _dial(step: Step, play: Play, names: Names) -> None:
    """Calls of ours that the client does not answer, a day apart."""
    text = step.gaps.get("times", "1")
    if not re.fullmatch(r"[1-9]\d?", text):
        raise StepError(say(names.language, "no_number", text=text))
    if play.lead is None:
        raise StepError(say(names.language, "no_lead_yet"))
    for number in range(int(text)):
        if number:
            play.pass_time(play.now + timedelta(days=1))
        play.arrive(*_call(answered=False, direction="out")(step, play, names))


def command(step: Step, play: Play, names: Names) -> c.CommandBody:
    """The command that a sentence is. Raises StepError, UnknownNameError, ValidationError."""
    data = _COMMANDS[step.phrase](step, play, names)
    if step.along or (step.phrase != "offer" and step.fields() and step.phrase != "record"):
        first = [command(part, play, names).model_dump(exclude_none=True) for part in step.along]
        written = [{"type": "record", "fields": _typed(step, names)}] if step.fields() else []
        data = {**data, "first": [*written, *first]}
    return c.COMMAND_BODIES[data["type"]].model_validate({k: v for k, v in data.items() if v is not None})


def _place(step: Step, play: Play, names: Names) -> None:
    if play.lead is not None:
        raise StepError(say(names.language, "lead_there"))
    stage = names.stage(step.gaps["stage"])
    before = names.stage(step.gaps["before"]) if "before" in step.gaps else None
    reason = names.reason(stage, step.gaps["reason"]).id if "reason" in step.gaps else None
    source, details = _source(step, names)
    values = _values(details, names)
    contact = {name: _contact_value(name, text) for name, text in values.items() if name in CONTACT_FIELDS}
    card = {name: text for name, text in values.items() if name not in CONTACT_FIELDS}
    play.place(stage, before, reason, contact, source or "site")
    placed = play.just
    if card:
        play.act("seller", c.Record(fields=card))
        if play.refusal is not None:
            why = play.refusal.ru if names.language == "ru" else play.refusal.en
            raise StepError(say(names.language, "given_refused", why=why))
        if play.there().stage != stage.id:
            raise StepError(say(names.language, "given_left", stage=names.stage_title(play.there().stage)))
    play.begin_stage(placed)


def _contact_value(name: str, text: str) -> str:
    read = {"phone": normalise_phone(text, REGION), "email": normalise_email(text)}.get(name, text)
    return read or text


def capture_of(step: Step, names: Names) -> c.Capture:
    """The command that enters a lead. Raises UnknownNameError, ValidationError."""
    source, details = _source(step, names)
    values = _values(details, names)
    contact = {name: text for name, text in values.items() if name in CONTACT_FIELDS}
    card = {name: text for name, text in values.items() if name not in CONTACT_FIELDS}
    return c.Capture.model_validate({**contact, "card": card, **({"source": source} if source else {})})


def _source(step: Step, names: Names) -> tuple[str | None, tuple[Detail, ...]]:
    """The source that a step names, and its other lines."""
    words = {same(text) for text in TEXTS["source"]}
    source = next((d.value for d in step.fields() if same(d.name or "") in words), None)
    return source, tuple(d for d in step.fields() if same(d.name or "") not in words)


def _values(details: tuple[Detail, ...], names: Names) -> dict[str, str]:
    found: dict[str, str] = {}
    for detail in details:
        name = names.field(detail.name or "")
        empty = same(detail.value) in {same(text) for text in TEXTS["empty"]}
        found[name] = "" if empty else names.typed(names.pipeline.fields_by_id.get(name), detail.value)
    return found


def _typed(step: Step, names: Names) -> dict[str, str]:
    return _values(step.fields(), names)


def _record(step: Step, _: Play, names: Names) -> dict[str, Any]:
    return {"type": "record", "fields": _typed(step, names)}


def _offer(step: Step, play: Play, names: Names) -> dict[str, Any]:
    said = {key: d.value for d in step.fields() for key in _OFFER if same(d.name or "") in map(same, TEXTS[key])}
    if {"volume", "price", "delivery"} - said.keys():
        raise StepError(say(names.language, "not_offered"))
    amount = read_value(_AMOUNT, said["price"], REGION)
    if isinstance(amount, Unreadable):
        raise StepError(say(names.language, "no_money", text=said["price"]))
    number, _, currency = amount.partition(" ")
    until = day(said["delivery"])
    if until is None and (by := later(play.now, said["delivery"])) is not None:
        delivery: dict[str, Any] = {"delivery_days": (by - play.now).days}
    else:
        delivery = {"delivery_date": until or _day(names, said["delivery"])}
    price = {"amount": number, "currency": currency}
    return {"type": "offer", "volume": said["volume"], "price": price, "comment": said.get("comment"), **delivery}


_OFFER: Final = ("volume", "price", "delivery", "comment")


def _day(names: Names, text: str) -> Any:
    found = day(text)
    if found is None:
        raise StepError(say(names.language, "no_day", text=text))
    return found


def _establish(step: Step, _: Play, names: Names) -> dict[str, Any]:
    fact = names.fact(step.gaps["fact"])
    value = _option(fact, step.gaps.get("value"), names)
    if fact.id in _BUILT_IN:
        return _BUILT_IN[fact.id](value)
    return {"type": "establish", "fact": fact.id, "value": value}


def _option(fact: Fact, text: str | None, names: Names) -> str | None:
    return names.option(fact, text).id if text else None


def _hold(kind: str) -> Callable[[Step, Play, Names], dict[str, Any]]:
    def held(step: Step, _: Play, names: Names) -> dict[str, Any]:
        fact = names.pipeline.facts_by_id[f"{kind}_held"]
        return {"type": "hold", "kind": kind, "result": _option(fact, step.gaps.get("result"), names)}

    return held


def _send(step: Step, _: Play, names: Names) -> dict[str, Any]:
    return {"type": "send", "document": _label(step.gaps["document"], "document_sent", names)}


def _attach(step: Step, _: Play, names: Names) -> dict[str, Any]:
    label = _label(step.gaps["label"], "file_attached", names) if "label" in step.gaps else None
    name = step.gaps["name"]
    return {"type": "attach", "name": name, "label": label, "link": "https://files.example.org/1"}


def _label(text: str, fact: str, names: Names) -> str:
    """What a document or file is: one of the pipeline's options, or one of the usual ones."""
    declared = names.pipeline.facts_by_id[fact]
    if declared.options:
        return names.option(declared, text).id
    usual = {key.removeprefix("document."): titles for key, titles in TEXTS.items() if key.startswith("document.")}
    for name, titles in usual.items():
        if same(text) in (name, *map(same, titles)):
            return name
    listed = [say(names.language, f"document.{name}") for name in usual]
    raise UnknownNameError(say(names.language, "no_document", text=text, near=near(names.language, text, listed)))


def _reject(step: Step, _: Play, names: Names) -> dict[str, Any]:
    stage = names.stage(step.gaps["stage"])
    reason = names.reason(stage, step.gaps["reason"]).id if "reason" in step.gaps else None
    return {"type": "reject", "status": stage.id, "reason": reason}


def _pause(step: Step, play: Play, names: Names) -> dict[str, Any]:
    postponed = [stage for stage in names.pipeline.stages if stage.kind == "postponed"]
    stage = names.stage(step.gaps["stage"]) if "stage" in step.gaps else postponed[0] if postponed else None
    until = day(step.gaps["until"])
    if until is None:
        moment = later(play.now, step.gaps["until"])
        if moment is None:
            raise StepError(say(names.language, "no_day", text=step.gaps["until"]))
        until = moment.date()
    said = step.gaps.get("reason")
    reason = names.reason(stage, said) if said and stage is not None and stage.reasons else None
    return {
        "type": "pause",
        "until": until,
        "reason": said or "—",
        "reason_id": reason.id if reason else None,
        "status": stage.id if stage is not None and "stage" in step.gaps else None,
    }


def _move(step: Step, _: Play, names: Names) -> dict[str, Any]:
    return {"type": "move", "to": names.stage(step.gaps["stage"]).id, "override": step.gaps.get("override")}


def _withdraw(step: Step, _: Play, names: Names) -> dict[str, Any]:
    return {"type": "withdraw", "fact": names.fact(step.gaps["fact"]).id}


def _plan(kind: str) -> Callable[[Step, Play, Names], dict[str, Any]]:
    def planned(step: Step, play: Play, names: Names) -> dict[str, Any]:
        del names
        return {"type": "plan", "kind": kind, "text": step.gaps.get("text"), "due_at": play.now + timedelta(days=1)}

    return planned


def _complete(step: Step, play: Play, names: Names) -> dict[str, Any]:
    waiting = [i for i, activity in play.there().activities.items() if activity.done_at is None]
    if not waiting:
        raise StepError(say(names.language, "no_activity"))
    return {"type": "complete", "activity": waiting[-1], "result": step.gaps.get("result") or "✓"}


def _activity(step: Step, play: Play, names: Names) -> UUID:
    """The activity of this kind or text; of several the one planned last."""
    wanted, language = same(step.gaps["activity"]), names.language
    activities = play.there().activities
    for number, activity in reversed(list(activities.items())):
        if wanted in (same(say(language, f"activity.{activity.kind}")), same(activity.text or "")):
            return number
    listed = [activity.text or say(language, f"activity.{activity.kind}") for activity in activities.values()]
    text = step.gaps["activity"]
    raise UnknownNameError(say(language, "no_such_activity", text=text, near=near(language, text, listed)))


def _replan(step: Step, play: Play, names: Names) -> dict[str, Any]:
    moment = moment_of(step.gaps["moment"])
    if moment is None:
        raise StepError(say(names.language, "no_moment", text=step.gaps["moment"]))
    return {
        "type": "replan",
        "activity": _activity(step, play, names),
        "due_at": moment[0],
        "reason": _of_a_head(step),
    }


def _close(step: Step, play: Play, names: Names) -> dict[str, Any]:
    return {"type": "close_activity", "activity": _activity(step, play, names), "reason": _of_a_head(step)}


def _of_a_head(step: Step) -> str | None:
    """A head says why, where they move or close a key action (Q7); the sentence has no place for it."""
    return "—" if step.actor == "head" else None


def _reopen(step: Step, play: Play, _: Names) -> dict[str, Any]:
    """A head brings a lead back that waits for their review: they return it (Q5)."""
    if step.actor == "head" and waiting(play.there()) is not None:
        return {"type": "review", "decision": "return", "reason": step.gaps.get("reason") or "—"}
    return {"type": "reopen", **step.gaps}


def _plain(**body: Any) -> Callable[[Step, Play, Names], dict[str, Any]]:
    return lambda step, play, names: {**body, **step.gaps}


_COMMANDS: Final[Mapping[str, Callable[[Step, Play, Names], dict[str, Any]]]] = {
    "see": _plain(type="see"),
    "accept": _plain(type="accept"),
    "record": _record,
    "offer": _offer,
    "consent": _plain(type="answer", answer="consent"),
    "refusal": _plain(type="answer", answer="refusal"),
    "thinking": _plain(type="answer", answer="thinking"),
    "meet": _hold("meeting"),
    "talk": _hold("call"),
    "send": _send,
    "attach": _attach,
    "approve": _plain(type="approve"),
    "deny": _plain(type="approve", decision="denied"),
    "establish": _establish,
    "withdraw": _withdraw,
    "move": _move,
    "reject": _reject,
    "pause": _pause,
    "convert": _plain(type="convert"),
    "reopen": _reopen,
    "confirm_poor": _plain(type="review", decision="confirm"),
    "replan": _replan,
    "close_activity": _close,
    "rate_card": _plain(type="rate_card"),
    "undo": _plain(type="undo"),
    "plan_call": _plan("call"),
    "plan_letter": _plan("letter"),
    "plan_meeting": _plan("meeting"),
    "plan_task": _plan("task"),
    "complete": _complete,
    "assign": lambda step, play, names: {"type": "assign", "to": step.gaps["to"]},
}


def _call(*, answered: bool, direction: str = "in") -> Callable[[Step, Play, Names], tuple[str, dict[str, Any]]]:
    def rings(step: Step, play: Play, names: Names) -> tuple[str, dict[str, Any]]:
        del step
        phone = play.lead.phone if play.lead is not None else "+79990000001"
        if phone is None:
            raise StepError(say(names.language, "no_phone"))
        ours = "+74950000000"
        body = {
            "call_id": f"call-{play.now:%Y%m%d%H%M}",
            "direction": direction,
            "from": phone if direction == "in" else ours,
            "to": ours if direction == "in" else phone,
            "answered": answered,
            "started_at": play.now,
            "ended_at": play.now + timedelta(seconds=40),
        }
        return "call", body

    return rings


def _letter(step: Step, play: Play, names: Names) -> tuple[str, dict[str, Any]]:
    del step
    email = play.lead.email if play.lead is not None else "client@example.org"
    if email is None:
        raise StepError(say(names.language, "no_email"))
    return "mail", {"sender": email, "subject": "?", "text": "?", "message_id": f"<{play.now:%Y%m%d%H%M}@example.org>"}


def _chat(step: Step, play: Play, names: Names) -> tuple[str, dict[str, Any]]:
    del step, names
    phone = play.lead.phone if play.lead is not None else None
    body = {"channel": "telegram", "sender_id": "client", "text": "?", "phone": phone}
    return "message", {name: value for name, value in body.items() if value is not None}


def _form(step: Step, play: Play, names: Names) -> tuple[str, dict[str, Any]]:
    source, details = _source(step, names)
    lead = play.lead
    known = (
        {} if lead is None else {"name": lead.name, "company": lead.company, "phone": lead.phone, "email": lead.email}
    )
    typed = {**{name: value for name, value in known.items() if value}, **_values(details, names)}
    return "form", {**typed, **({"source": source} if source else {})}


_REFUSED: Final = {
    "refuses": "email",
    "refuses_calls": "phone",
    "refuses_sms": "sms",
    "refuses_ads": "ads",
    "refuses_all": "all",
}
"""Which channel the client refuses (C7)."""
_MESSAGES: Final[Mapping[str, Callable[[Step, Play, Names], tuple[str, dict[str, Any]]]]] = {
    "rings": _call(answered=True),
    "rings_missed": _call(answered=False),
    "writes_letter": _letter,
    "writes_chat": _chat,
    "posts_form": _form,
}
