"""The rules an adapter's messages are held against, each with the place where it is broken and the way out.

Pure. A message is what stood on the topic or was posted; `CHECKS` says one message's faults, `ACROSS` those of several together.
Invariants: every rule is in the report, passed or failed, with how many messages it looked at; no fault repeats what a client
wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from contracts.inbound import RECORD_BYTES, TYPE_OF_CHANNEL
from services.channels.forms import FORM_BYTES
from services.channels.senders import sender_of
from services.leads.domain.channels import READERS, client_number, is_hidden, is_internal

AHEAD = timedelta(minutes=5)
Way = Literal["kafka", "http"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `place`: where a person finds it (a line, a record). `headers` None: what came over HTTP without them."""

    place: str
    raw: bytes
    way: Way
    headers: Mapping[str, str] | None = None
    key: str | None = None
    account: str = ""

    def body(self) -> dict[str, Any] | None:
        """The body, if it is a JSON object."""
        try:
            body = orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            return None
        return body if isinstance(body, dict) else None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id, what it asks, the way out. `level` should: an adapter may have a reason not to."""

    id: str
    asks: str
    way_out: str
    level: Literal["must", "should"] = "must"
    way: Way | None = None
    """Only for messages that came this way."""


@dataclass(slots=True)
class Result:
    """A rule, how many messages it looked at, and the faults."""

    rule: Rule
    looked_at: int = 0
    faults: list[Fault] = field(default_factory=list)


Check = Callable[[Message, str, datetime], str | None]


def _type(message: Message, channel: str, _: datetime) -> str | None:
    given = (message.headers or {}).get("ce_type")
    return None if given == TYPE_OF_CHANNEL[channel] else f"header ce_type is {given!r}"


def _id(message: Message, _: str, __: datetime) -> str | None:
    given = (message.headers or {}).get("ce_id")
    if not given:
        return "header ce_id is missing"
    return None if len(given) <= 200 and given.isprintable() else "header ce_id is over 200 characters or unprintable"


def _source(message: Message, _: str, __: datetime) -> str | None:
    given = (message.headers or {}).get("ce_source")
    if not given:
        return "header ce_source is missing"
    return None if len(given) <= 100 else "header ce_source is over 100 characters"


def _version(message: Message, _: str, __: datetime) -> str | None:
    given = (message.headers or {}).get("ce_specversion")
    return None if given == "1.0" else f"header ce_specversion is {given!r}"


def _key(message: Message, _: str, __: datetime) -> str | None:
    return None if message.key else "the record has no key"


def _size(message: Message, _: str, __: datetime) -> str | None:
    limit = RECORD_BYTES if message.way == "kafka" else FORM_BYTES
    return None if len(message.raw) <= limit else f"{len(message.raw) // 1024} KB; the limit is {limit // 1024} KB"


def _json(message: Message, _: str, __: datetime) -> str | None:
    return None if message.body() is not None else "the value is no JSON object in UTF-8"


def _schema(message: Message, channel: str, _: datetime) -> str | None:
    body = message.body()
    if body is None:
        return None  # K.json says it
    try:
        READERS[channel].model.model_validate(body)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'body'}: {f['msg']}" for f in faults[:5])
    return None


def _known(message: Message, channel: str) -> Any:
    try:
        return READERS[channel].model.model_validate(message.body())
    except ValidationError:
        return None


def _sender(message: Message, channel: str, _: datetime) -> str | None:
    body = _known(message, channel)
    if body is None:
        return None
    if channel == "call" and (is_hidden(body) or is_internal(body)):
        return None
    read = READERS[channel].read(body, message.account, "RU")
    if any(kind != "visitor" or channel == "visit" for kind, _ in read.identities):
        return None
    if channel == "call":
        return f"{'from' if body.direction == 'in' else 'to'}: {len(client_number(body))} characters that are no number"
    return "nothing in it finds the person"


def _time(message: Message, channel: str, now: datetime) -> str | None:
    body = _known(message, channel)
    said = READERS[channel].read(body, message.account, "RU").said.occurred_at if body is not None else None
    return "it is over 5 minutes ahead of the clock" if said is not None and said > now + AHEAD else None


CHECKS: tuple[tuple[Rule, Check], ...] = (
    (
        Rule("K.type", "ce_type names the channel", "write ce_type: leadline.inbound.CHANNEL", way="kafka"),
        _type,
    ),
    (
        Rule(
            "K.id",
            "ce_id is the message's own id",
            "give each message an id of yours in ce_id, the same when it is sent again: a repeat is known by it",
            way="kafka",
        ),
        _id,
    ),
    (
        Rule("K.source", "ce_source names the account", "write the account's name in ce_source, in ASCII", way="kafka"),
        _source,
    ),
    (
        Rule("K.specversion", "ce_specversion is 1.0", "write ce_specversion: 1.0 (CloudEvents)", "should", "kafka"),
        _version,
    ),
    (
        Rule(
            "K.key",
            "the record has a key",
            "use as key any text that is the same for all messages of one sender, or their order is lost",
            way="kafka",
        ),
        _key,
    ),
    (Rule("K.size", "the body is within the limit", "send files by mail, or a link to them in the body"), _size),
    (Rule("K.json", "the body is a JSON object", "send one JSON object in UTF-8, without a byte order mark"), _json),
    (
        Rule(
            "K.schema",
            "the body fits the contract",
            "compare with contracts/schemas/leadline.inbound.CHANNEL.v1.json; what does not fit waits in quarantine",
        ),
        _schema,
    ),
    (
        Rule(
            "K.sender",
            "the sender can be found again",
            "give a phone in international form (+7…), an e-mail, or the channel's own id of the person",
        ),
        _sender,
    ),
    (Rule("K.time", "times are not ahead of the clock", "send RFC 3339 with the right zone; check the clock"), _time),
)


def _repeats(messages: Sequence[Message], _: str) -> Iterable[Fault]:
    first: dict[tuple[str, str], Message] = {}
    for message in messages:
        headers = message.headers or {}
        name = (headers.get("ce_source", ""), headers.get("ce_id", ""))
        before = first.setdefault(name, message)
        if name[1] and before.raw != message.raw:
            yield Fault(message.place, f"the ce_id of {before.place} with another body")


def _order(messages: Sequence[Message], channel: str) -> Iterable[Fault]:
    keys: dict[str, Message] = {}
    for message in messages:
        sender = sender_of(channel, message.body() or {})
        if sender is None or not message.key:
            continue
        before = keys.setdefault(sender, message)
        if before.key != message.key:
            yield Fault(message.place, f"another key than {before.place}, which is of the same sender")


def _calls(messages: Sequence[Message], channel: str) -> Iterable[Fault]:
    if channel != "call":
        return
    sides: dict[tuple[str, str], tuple[Any, Message]] = {}
    for message in messages:
        body = _known(message, channel)
        if body is None:
            continue
        said = (body.direction, client_number(body), body.started_at)
        before = sides.setdefault((message.account, body.call_id), (said, message))
        if before[0] != said:
            yield Fault(message.place, f"the call_id of {before[1].place} with another number, direction or started_at")


ACROSS: tuple[tuple[Rule, Callable[[Sequence[Message], str], Iterable[Fault]]], ...] = (
    (
        Rule(
            "K.repeat",
            "one ce_id is one body",
            "a message that says something else is another message: give it a ce_id of its own",
            way="kafka",
        ),
        _repeats,
    ),
    (
        Rule(
            "K.order",
            "one sender has one key",
            "make the key of what names the sender (phone, e-mail, sender_id), never of the message",
            way="kafka",
        ),
        _order,
    ),
    (
        Rule(
            "K.call",
            "reports of one call agree",
            "report the same call_id with the same direction, numbers and started_at; what changes is answered, ended_at, "
            "recording_url",
        ),
        _calls,
    ),
)


def check(messages: Sequence[Message], channel: str, now: datetime) -> list[Result]:
    """Every rule over these messages."""
    results = []
    for rule, one in CHECKS:
        mine = [m for m in messages if rule.way in (None, m.way) and not (rule.way == "kafka" and m.headers is None)]
        faults = [Fault(m.place, what) for m in mine if (what := one(m, channel, now)) is not None]
        results.append(Result(rule, len(mine), faults))
    for rule, across in ACROSS:
        mine = [m for m in messages if rule.way in (None, m.way) and not (rule.way == "kafka" and m.headers is None)]
        results.append(Result(rule, len(mine), list(across(mine, channel))))
    return results
