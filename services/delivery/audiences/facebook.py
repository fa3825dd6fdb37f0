"""Custom Audiences of Meta (Facebook, Instagram) by the Marketing API.

Sources: «Customer File Custom Audiences» (audiences/guides/custom-audiences), «Custom Audience Users»
(reference/custom-audience/users), «Ad Account Customaudiences» (reference/ad-account/customaudiences), «Rate Limits»
(graph-api/overview/rate-limiting), «Handling Errors» (graph-api/guides/error-handling).

- up to 10,000 records in one request; a row of several keys is hashed key by key, a missing one is an empty string;
- `DELETE /{audience}/users` takes what `POST` takes; both answer `num_received`, `num_invalid_entries`,
  `invalid_entry_samples`;
- a limit is an error with code 4, 17, 32, 613 or 80000 to 80014 (80003: custom audiences), and the header
  `X-Business-Use-Case-Usage` tells the minutes until it is over; 190 and 102 are a token that is not taken.

`Done.matched`: records received less invalid ones, of this request. Meta never tells how many of a request it matched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.delivery.audiences.calling import (
    LONGEST_WAIT,
    Answer,
    CallError,
    ServiceLine,
    asked_wait,
    limited,
    place,
    refused,
    unauthorized,
)
from services.delivery.audiences.changing import Action, AudienceAdapter
from services.delivery.audiences.contacts import Hashed, for_facebook
from services.delivery.port import Done, Later, Outcome, Refused
from services.ways_out import FacebookAudiences

SCHEMA: Final = ("EMAIL", "PHONE")
PAGE: Final = 100
MOST_PAGES: Final = 50

LIMITS: Final = frozenset({4, 17, 32, 613, *range(80_000, 80_015)})
KEYS: Final = frozenset({10, 102, 190, 294, *range(200, 300)})
PASSING: Final = frozenset({1, 2, 2650})
BLOCKED_FOR_NOW: Final = 368
NO_SUCH_OBJECT: Final = (100, 33)
BLOCKED_SECONDS: Final = 3600.0


class _Audience(BaseModel):
    id: str = Field(pattern=r"^[0-9]+$")
    name: str = ""
    subtype: str = ""
    time_created: int = 0


class _Audiences(BaseModel):
    data: list[_Audience]
    paging: dict[str, Any] = Field(default_factory=dict)


class _Created(BaseModel):
    id: str = Field(pattern=r"^[0-9]+$")


class _Received(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    session_id: str | None = None
    num_received: int
    num_invalid_entries: int = 0
    invalid_entry_samples: Any = None

    @property
    def samples(self) -> str:
        """What was sent and found invalid («Return Type»: a map of strings)."""
        told = self.invalid_entry_samples
        return (
            " ".join(str(value) for value in told.values() if isinstance(value, str)) if isinstance(told, dict) else ""
        )


class FacebookAdapter(AudienceAdapter):
    """Changes Custom Audiences of one ad account."""

    def __init__(self, account: FacebookAudiences, line: ServiceLine | None = None) -> None:
        super().__init__("facebook", for_facebook)
        self._line = line or ServiceLine(account.base_url)
        self._token = account.token
        self._root = f"/{account.version}"
        self._account = f"{self._root}/act_{account.account}/customaudiences"
        self._known: dict[str, str] = {}

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    async def _change(self, name: str, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        audience = self._known.get(name) or await self._found(name)
        if audience is None:
            if action == "remove":
                return [Done()] * len(contacts)
            audience = await self._created(name)
        self._known[name] = audience
        try:
            received = await self._send(audience, action, contacts)
        except CallError as error:
            if error.outcome == _GONE:
                self._known.pop(name, None)
            raise
        return _outcomes(received, contacts)

    async def _send(self, audience: str, action: Action, contacts: Sequence[Hashed]) -> _Received:
        rows = [[contact.email or "", contact.phone or ""] for contact in contacts]
        payload = orjson.dumps({"schema": SCHEMA, "is_raw": True, "data": rows}).decode()
        method = "POST" if action == "add" else "DELETE"
        answer = await self._ask(method, f"{self._root}/{audience}/users", data={"payload": payload})
        return answer.read(_Received)

    async def _found(self, name: str) -> str | None:
        """The oldest customer file audience of exactly this name."""
        params = {
            "fields": "id,name,subtype,time_created",
            "filtering": orjson.dumps([{"field": "name", "operator": "CONTAIN", "value": name}]).decode(),
            "limit": str(PAGE),
        }
        found: list[_Audience] = []
        for _ in range(MOST_PAGES):
            page = (await self._ask("GET", self._account, params=params)).read(_Audiences)
            found += [one for one in page.data if one.name == name and one.subtype == "CUSTOM"]
            after = place(page.paging, "cursors", "after")
            if not page.paging.get("next") or not isinstance(after, str):
                break
            params["after"] = after
        return min(found, key=lambda one: (one.time_created, int(one.id))).id if found else None

    async def _created(self, name: str) -> str:
        """A new audience's id. Another process may have made one at the same time: the older stays, ours, still empty, goes."""
        form = {"name": name, "subtype": "CUSTOM", "customer_file_source": "USER_PROVIDED_ONLY"}
        try:
            made = (await self._ask("POST", self._account, data=form)).read(_Created).id
        except CallError as error:
            if not error.lost or (there := await self._found(name)) is None:
                raise
            return there
        oldest = await self._found(name)
        if oldest is not None and oldest != made:
            await self._ask("DELETE", f"{self._root}/{made}")
            return oldest
        return made

    async def _ask(self, method: str, path: str, **content: Any) -> Answer:
        bearer = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        answer = await self._line.ask(method, path, headers=bearer, **content)
        if not answer.accepted:
            raise _error(answer)
        return answer


_GONE: Final = Later("audience_gone", after=1.0)


def _outcomes(received: _Received, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
    """Who was invalid is told by samples alone: whoever is named among them is refused, and all are when none was taken."""
    if received.num_invalid_entries and received.num_invalid_entries >= received.num_received:
        return [Refused("service_refused: invalid_entries")] * len(contacts)
    samples = received.samples
    done = Done(provider_id=received.session_id, matched=received.num_received - received.num_invalid_entries)
    return [
        Refused("service_refused: invalid_entry")
        if any(part and part in samples for part in (contact.email, contact.phone))
        else done
        for contact in contacts
    ]


def _error(answer: Answer) -> CallError:
    code, subcode = (_number(place(answer.body, "error", name)) for name in ("code", "error_subcode"))
    if code in LIMITS or answer.status == 429:
        return limited(_wait(answer), code or "")
    if code in KEYS or answer.status == 401:
        return unauthorized(code or "")
    if code == BLOCKED_FOR_NOW:
        return limited(BLOCKED_SECONDS, code)
    if (code, subcode) == NO_SUCH_OBJECT:
        return CallError(_GONE)
    if code in PASSING or place(answer.body, "error", "is_transient") is True:
        return CallError(Later(f"service_unavailable: {code or answer.status}"), lost=True)
    return refused(f"{code}_{subcode}" if subcode else code or answer.status)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _wait(answer: Answer) -> float | None:
    """The longest `estimated_time_to_regain_access` (minutes) of the header, else Retry-After."""
    try:
        usage = orjson.loads(answer.headers.get("x-business-use-case-usage", ""))
    except orjson.JSONDecodeError:
        return asked_wait(answer.headers)
    minutes = [
        use["estimated_time_to_regain_access"]
        for uses in (usage.values() if isinstance(usage, dict) else ())
        for use in (uses if isinstance(uses, list) else ())
        if isinstance(place(use, "estimated_time_to_regain_access"), int)
    ]
    longest = max(minutes, default=0)
    return min(longest * 60.0, LONGEST_WAIT) if longest > 0 else asked_wait(answer.headers)
