"""Users lists of VK Ads (VK Реклама, ads.vk.com) by its API.

Why this API: it is the current one, documented in full for putting in and taking out. The older methods of api.vk.com
(`ads.importTargetContacts`, `ads.removeTargetContacts`) need the right `ads` of a user's token, which VK gives «in exceptional
cases by a request to support» (dev.vk.com, «ads.getClients»).

Sources (ads.vk.com/doc/api): resources «RemarketingUsersLists» and «RemarketingUsersList» (v3), object «RemarketingUsersList»,
«API architecture» (errors, limits, standards), «Authorization».

- a list holds one kind of identifier: `phones` or `emails`, one hash a line; an audience is a list of each kind of the same
  name. Who has a phone is put in by it, others by e-mail; who is taken out is taken out of both;
- a new list has at least 2,000 lines, a later one, which adds (`base`: the list) or takes out (`base`: minus the list), at
  least 25; both up to 5,000,000, 128 MB. Contacts wait until so many are together. A removal does not wait (C7): it is filled
  up to 25 with hashes of addresses that cannot exist (RFC 2606 `.invalid`; E.164 country code 999 is not assigned), which takes
  out nobody. `fill_removals` of the settings turns this off;
- a list that names bad lines was not taken (400, `fields.file`), or taken without them (200, `error`): those contacts are
  refused;
- limits are per second, hour and day, by the calendar; 429 carries `X-RateLimit-…-Remaining`.

`Done.matched`: `matched_ids_count` of the list that took the contact, of the whole list as last counted; of a removal None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Literal

from pydantic import BaseModel

from services.delivery.audiences.calling import (
    Answer,
    CallError,
    ServiceLine,
    asked_wait,
    limited,
    place,
    refused,
    told_at,
    unauthorized,
)
from services.delivery.audiences.changing import Action, AudienceAdapter, too_small
from services.delivery.audiences.contacts import Hashed, for_vk
from services.delivery.audiences.oauth import RefreshingLine
from services.delivery.port import Done, Later, Outcome, Refused
from services.ways_out import VkAudiences

Kind = Literal["phones", "emails"]
KINDS: Final[tuple[Kind, ...]] = ("phones", "emails")
Lines = Mapping[str, Sequence[int]]
"""Hash → positions of the contacts it stands for."""

LISTS: Final = "/api/v3/remarketing/users_lists"
LEAST_NEW: Final = 2_000
LEAST_CHANGE: Final = 25
PAGE: Final = 50
MOST_PAGES: Final = 40
AWAY: Final = frozenset({"pending_delete", "deleting", "deleted", "deleted_to_notify"})
DEPTH: Final = 4
"""error → fields → field → code: so deep lie the codes of an error."""
BUSY: Final = frozenset({"status_not_receiving", "file_reading_error"})
BUSY_SECONDS: Final = 900.0
MOSCOW: Final = timezone(timedelta(hours=3))
"""The time zone of the API's calendar («API architecture», «Datetime»)."""


class _UsersList(BaseModel):
    id: int
    name: str = ""
    type: str = ""
    base: int = 0
    status: str = ""
    matched_ids_count: int | None = None
    error: Any = None


class _UsersLists(BaseModel):
    items: list[_UsersList]


class VkAdapter(AudienceAdapter):
    """Changes users lists of one account."""

    def __init__(self, account: VkAudiences, line: ServiceLine | None = None) -> None:
        super().__init__("vk", for_vk)
        self._line = RefreshingLine(
            line or ServiceLine(account.base_url),
            "/api/v2/oauth2/token.json",
            client_id=account.client_id,
            client_secret=account.client_secret,
            refresh_token=account.refresh_token,
        )
        self._fill_removals = account.fill_removals
        self._known: dict[tuple[str, Kind], int] = {}

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    async def _change(self, name: str, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(contacts)
        away: CallError | None = None
        for kind in KINDS:
            lines = _lines(kind, action, contacts)
            if not lines:
                continue
            try:
                if away is not None:
                    raise away
                told = await self._changed_list(name, kind, action, lines)
            except CallError as error:
                told = _each(lines, error.outcome)
                if isinstance(error.outcome, Later) and error.outcome.whole_provider:
                    away = error
            for position, outcome in told.items():
                outcomes[position] = _worse(outcomes[position], outcome)
        return [outcome if outcome is not None else Done() for outcome in outcomes]

    async def _changed_list(self, name: str, kind: Kind, action: Action, lines: Lines) -> Mapping[int, Outcome]:
        """The outcome of each contact, by position."""
        there = await self._there(name, kind)
        if there is None:
            return await self._new_list(name, kind, action, lines)
        if action == "add":
            if len(lines) < LEAST_CHANGE:
                raise CallError(too_small(len(lines), LEAST_CHANGE))
            return await self._upload(name, kind, there.id, lines, matched=there.matched_ids_count)
        if len(lines) < LEAST_CHANGE and not self._fill_removals:
            raise CallError(too_small(len(lines), LEAST_CHANGE))
        return await self._upload(name, kind, -there.id, _filled(lines, kind), matched=None)

    async def _new_list(self, name: str, kind: Kind, action: Action, lines: Lines) -> Mapping[int, Outcome]:
        """A new list of these lines. Another process may have made one meanwhile: the older stays, and takes ours in."""
        if action == "remove":
            return _each(lines, Done())
        if len(lines) < LEAST_NEW:
            raise CallError(too_small(len(lines), LEAST_NEW))
        told = await self._upload(name, kind, 0, lines, matched=None)
        own = next((int(one.provider_id) for one in told.values() if isinstance(one, Done) and one.provider_id), None)
        oldest = await self._found(name, kind)
        if own is None or oldest is None or oldest.id == own:
            return told
        again = await self._upload(name, kind, oldest.id, lines, matched=oldest.matched_ids_count)
        answer = await self._line.ask("DELETE", f"{LISTS}/{own}.json")
        if not answer.accepted:
            raise _error(answer)
        return again

    async def _upload(
        self, name: str, kind: Kind, base: int, lines: Lines, *, matched: int | None
    ) -> Mapping[int, Outcome]:
        """Upload a list; if nothing was taken because of bad lines that were named, once more without them."""
        least = LEAST_CHANGE if base else LEAST_NEW
        form = {"name": name, "type": kind, **({"base": str(base)} if base else {})}
        refusals: Mapping[int, Outcome] = {}
        while True:
            order = tuple(lines)
            content = "".join(f"{line}\n" for line in order).encode()
            file = {"file": (f"{kind}.txt", content, "text/plain")}
            answer = await self._line.ask("POST", f"{LISTS}.json", data=form, files=file)
            if answer.accepted:
                took = answer.read(_UsersList)
                good, bad = _split(lines, _bad_lines(took.error, order))
                done = Done(str(took.id), matched if base else took.matched_ids_count)
                return {**refusals, **_each(good, done), **_each(bad, _BAD_LINE)}
            good, bad = _split(lines, _bad_lines(place(answer.body, "error", "fields", "file"), order))
            if refusals or not bad:
                raise _error(answer, len(lines), least)
            refusals = _each(bad, _BAD_LINE)
            if len(good) < least:
                return {**refusals, **_each(good, too_small(len(good), least))}
            lines = good

    async def _there(self, name: str, kind: Kind) -> _UsersList | None:
        """The list, by the id that this process knows, else looked for among all of the name, to which every change adds one."""
        known = self._known.pop((name, kind), None)
        there: _UsersList | None = None
        if known is not None:
            answer = await self._line.ask("GET", f"{LISTS}/{known}.json")
            if not answer.accepted and answer.status != 404:
                raise _error(answer)
            there = answer.read(_UsersList) if answer.accepted else None
        if there is None or there.name != name or there.status in AWAY:
            there = await self._found(name, kind)
        if there is not None:
            self._known[name, kind] = there.id
        return there

    async def _found(self, name: str, kind: Kind) -> _UsersList | None:
        """The oldest list of this kind and exactly this name that is no change of another."""
        found: list[_UsersList] = []
        for number in range(MOST_PAGES):
            params = {"_q": name[:255], "limit": str(PAGE), "offset": str(number * PAGE)}
            answer = await self._line.ask("GET", f"{LISTS}.json", params=params)
            if not answer.accepted:
                raise _error(answer)
            page = answer.read(_UsersLists).items
            found += [
                one for one in page if (one.name, one.type, one.base) == (name, kind, 0) and one.status not in AWAY
            ]
            if len(page) < PAGE:
                break
        return min(found, key=lambda one: one.id, default=None)


_BAD_LINE: Final = Refused("service_refused: invalid_line")


def _lines(kind: Kind, action: Action, contacts: Sequence[Hashed]) -> Lines:
    """The lines of one kind, none twice."""
    lines: dict[str, list[int]] = {}
    for position, contact in enumerate(contacts):
        line = contact.phone if kind == "phones" else contact.email
        if line is None or (action == "add" and kind == "emails" and contact.phone is not None):
            continue
        lines.setdefault(line, []).append(position)
    return lines


def _filled(lines: Lines, kind: Kind) -> Lines:
    """The lines, and so many that stand for nobody as the service wants to see."""
    fill = (for_vk(f"+999{n:09d}", f"fill-{n}@leadline.invalid") for n in range(LEAST_CHANGE - len(lines)))
    return {**lines, **{line: () for one in fill if (line := one.phone if kind == "phones" else one.email)}}


def _split(lines: Lines, bad: frozenset[str]) -> tuple[Lines, Lines]:
    """(the good lines, the bad ones)."""
    good = {line: positions for line, positions in lines.items() if line not in bad}
    return good, {line: positions for line, positions in lines.items() if line in bad}


def _each(lines: Lines, outcome: Outcome) -> dict[int, Outcome]:
    return {position: outcome for positions in lines.values() for position in positions}


def _worse(one: Outcome | None, other: Outcome) -> Outcome:
    """What is true of both: done is what is done in both lists; what may still be done goes before what is refused."""
    ranks = (Done, Refused, Later)
    return other if one is None else max(one, other, key=lambda outcome: ranks.index(type(outcome)))


def _bad_lines(errors: Any, order: Sequence[str]) -> frozenset[str]:
    """Lines that are named by their number, from 1."""
    numbers = [place(error, "line_number") for error in errors] if isinstance(errors, list) else []
    return frozenset(order[n - 1] for n in numbers if isinstance(n, int) and 0 < n <= len(order))


def _codes(error: Any, depth: int = DEPTH) -> frozenset[str]:
    """Every `code` of an error, of its fields too."""
    within = error.values() if isinstance(error, Mapping) else error if isinstance(error, list) else ()
    own = {code} if isinstance(code := place(error, "code"), str) else set()
    return frozenset(own).union(*(_codes(one, depth - 1) for one in within if depth))


def _error(answer: Answer, there: int = 0, least: int = 0) -> CallError:
    codes = _codes(place(answer.body, "error"))
    if answer.status == 429:
        return limited(_wait(answer))
    if answer.status in {401, 403}:
        return unauthorized(min(codes, default=answer.status))
    if answer.status == 404 or _codes(place(answer.body, "error", "fields", "base")) & {"not_found"}:
        return CallError(Later("audience_gone", after=1.0))
    if codes & BUSY:
        return CallError(Later(f"audience_busy: {min(codes & BUSY)}", after=BUSY_SECONDS))
    if "not_enough_ids" in codes:
        return CallError(too_small(there, least))
    return refused(min(codes - {"validation_failed"}, default=answer.status))


def _wait(answer: Answer) -> float | None:
    """Retry-After; else until the end of the day, the hour or the second of which nothing remains."""
    asked, now = asked_wait(answer.headers), told_at(answer.headers)
    if asked is not None or now is None:
        return asked
    here = now.astimezone(MOSCOW)
    if answer.headers.get("x-ratelimit-daily-remaining") == "0":
        midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), MOSCOW)
        return (midnight - here).total_seconds()
    if answer.headers.get("x-ratelimit-hourly-remaining") == "0":
        return 3600.0 - (here.minute * 60 + here.second)
    return 1.0 if answer.headers.get("x-ratelimit-rps-remaining") == "0" else None
