"""From the fields of a posted form to a command's body (N9): what `services.web.forms` asked for, and nothing else.

Pure. Invariants: an empty input is left out; what comes along with a move stands under `first-N-` and is left out whole where
nothing of it was filled in, so that the rules say what is missing and not the form. What does not fit raises ValidationError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.commands import CommandBody
from contracts.pipeline import DECLINED, UNKNOWN

TICK = "done"
WAS = "was:"
"""What the boxes «пока неизвестно» and «клиент отказался ответить» hold: this, and what stood in the input when the page was
made."""
BOXES = frozenset({TICK, "sure"})
"""Boxes that say something to the page and nothing to the command."""
MOMENTS = frozenset({"due_at", "remind_at"})
"""Inputs that hold a time on the team's wall."""
EVERY: Final[dict[str, dict[str, int | bool]]] = {
    "day": {"days": 1, "working": True},
    "week": {"days": 7},
    "two_weeks": {"days": 14},
    "month": {"months": 1},
    "quarter": {"months": 3},
}
"""How often an activity may come again, as the form offers it."""
_PART = re.compile(r"first-(\d{1,2})-(.+)")
_CONTENT: dict[str, tuple[str, ...]] = {
    "offer": ("volume", "amount", "delivery_date", "delivery_days"),
    "answer": ("answer",),
    "hold": (TICK, "result"),
    "establish": (TICK, "value"),
    "see": (TICK,),
    "accept": (TICK,),
    "approve": (TICK,),
    "send": (TICK,),
    "attach": ("name", "link"),
}
"""What says that a part of a move was filled in at all."""


def body_of(name: str, body_type: type[CommandBody], given: Mapping[str, str], zone: ZoneInfo) -> CommandBody:
    """A command's body from a form's fields; times are on the team's wall. Raises ValidationError."""
    own = {field: value for field, value in given.items() if _PART.fullmatch(field) is None}
    values = _values(name, own, zone)
    if "first" in body_type.model_fields and (first := _first(given, zone)):
        values["first"] = first
    return body_type.model_validate(values)


def card_of(given: Mapping[str, str], prefix: str = "f_") -> dict[str, str]:
    """Card fields from a form: money has its currency beside it, «пока неизвестно» and «клиент отказался ответить» a box each; of
    two ticked ones the client's word counts."""
    fields: dict[str, str] = {}
    for name, value in given.items():
        if not name.startswith(prefix) or "." in name:
            continue
        text = value.strip()
        boxes = [said for box, said in BOXED.items() if _ticked(given.get(f"{name}.{box}"), text)]
        if boxes:
            text = boxes[0]  # what is new beside the box wins over it
        elif text and (currency := given.get(f"{name}.currency", "").strip()):
            text = f"{text} {currency}" if re.search(r"\d\s*$", text) else text
        fields[name.removeprefix(prefix)] = text
    return fields


BOXED = {"declined": DECLINED, "unknown": UNKNOWN}
"""What each box beside an input says."""


def _ticked(box: str | None, text: str) -> bool:
    return bool(box) and (box or "").removeprefix(WAS).strip() == text


def _values(name: str, given: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    if name == "record":
        return {"fields": card_of(given)}
    values: dict[str, Any] = {
        field: value.strip()
        for field, value in given.items()
        if value.strip() and "." not in field and field not in BOXES
    }
    match name:
        case "offer":
            amount = re.sub(r"[\s\u00a0\u202f]", "", values.pop("amount", "")).replace(",", ".")
            currency = given.get("amount.currency") or given.get("currency") or ""
            values.pop("currency", None)
            values["price"] = {"amount": amount, "currency": currency.strip().upper()}
        case "plan" | "replan":
            for moment in MOMENTS & values.keys():
                with suppress(ValueError):  # what is no time is told by the validation
                    values[moment] = datetime.fromisoformat(values[moment]).replace(tzinfo=zone)
            if "every" in values:
                values["every"] = EVERY.get(values["every"], values["every"])
        case "establish":
            _split(values, "fact", "value")
        case "reject":
            _split(values, "status", "reason")
        case "pause":
            _split(values, "status", "reason_id")
    return values


def _split(values: dict[str, Any], whole: str, part: str) -> None:
    """`poor/not_ours` in one choice: the status, and its reason."""
    first, slash, second = str(values.get(whole, "")).partition("/")
    if slash:
        values[whole], values[part] = first, second


def _first(given: Mapping[str, str], zone: ZoneInfo) -> list[dict[str, Any]]:
    parts: dict[int, dict[str, str]] = {}
    for field, value in given.items():
        if (found := _PART.fullmatch(field)) is not None:
            parts.setdefault(int(found[1]), {})[found[2]] = value
    first: list[dict[str, Any]] = []
    for number in sorted(parts):
        part = parts[number]
        command = part.pop("type", "")
        if command == "record":
            fields = {name: text for name, text in card_of(part).items() if text}
            if fields:
                first.append({"type": command, "fields": fields})
        elif command not in _CONTENT or any(part.get(name, "").strip() for name in _CONTENT[command]):
            first.append({"type": command, **_values(command, part, zone)})
    return first
