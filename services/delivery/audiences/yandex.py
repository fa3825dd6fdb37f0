"""CRM segments of Yandex Audience by its API.

Sources (Yandex Audience API, yandex.com/dev/audience): «List of segments», «Creating a segment from a CSV file»
(uploadCsvFile), «Saving a segment created from a file» (confirm), «Modifying the data for a segment created from a file»
(modifyUploadingData), «Deleting a segment», «Data requirements», «Quotas», «Error descriptions», «Authorization».

- a segment is made in two steps: the file is uploaded, then saved under its name with `content_type` crm, `hashed`,
  `hashing_alg`;
- a file must have at least 100 entries; `check_size=false` lets a smaller segment be saved and changed, which Yandex Direct
  takes once it is over 100. Where the upload itself refuses a short file, the contacts wait until 100 are together;
- `modify_data` adds (`addition`) and takes out (`subtraction`), in the form of the first file, and only while nothing is
  processed;
- creating and changing: 10 requests a minute, 100 an hour, 500 a day; above it 429.

Every line carries one identifier: what is put in by phone and e-mail can then be taken out by either. `Done.matched`: the
segment's `matched_quantity`, of the whole segment as last counted; None while it was never counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

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
from services.delivery.audiences.contacts import Hashed, for_yandex
from services.delivery.port import Done, Later, Outcome
from services.ways_out import YandexAudiences

LEAST: Final = 100
PAGE: Final = 1_000
MOST_PAGES: Final = 100
BUSY: Final = frozenset({"uploaded", "is_processed", "is_updated"})
BUSY_SECONDS: Final = 900.0
LIMIT_SECONDS: Final = 60.0
MOSCOW: Final = timezone(timedelta(hours=3))
"""At its midnight the quota of a user is new («Quotas»)."""


class _Segment(BaseModel):
    id: int
    name: str = ""
    type: str = "uploading"
    content_type: str = "crm"
    status: str = ""
    create_time: str = ""
    matched_quantity: int | None = None


class _One(BaseModel):
    segment: _Segment


class _Segments(BaseModel):
    segments: list[_Segment]


class YandexAdapter(AudienceAdapter):
    """Changes CRM segments of one user."""

    def __init__(self, account: YandexAudiences, line: ServiceLine | None = None) -> None:
        super().__init__("yandex", for_yandex)
        self._line = line or ServiceLine(account.base_url)
        self._token = account.token

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    async def _change(self, name: str, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        rows = _rows(contacts)
        segment = await self._found(name)
        if segment is None and action == "remove":
            return [Done()] * len(contacts)
        if segment is None:
            segment, made = await self._created(name, rows)
            if made:
                return [_done(segment)] * len(contacts)
        if segment.status in BUSY:
            raise CallError(Later(f"audience_busy: {segment.status}", after=BUSY_SECONDS))
        changed = await self._ask(
            "POST",
            f"/v1/management/segment/{segment.id}/modify_data",
            params={"modification_type": "addition" if action == "add" else "subtraction", "check_size": "false"},
            files=_file(rows),
        )
        return [_done(changed.read(_One).segment)] * len(contacts)

    async def _found(self, name: str) -> _Segment | None:
        """The oldest segment of exactly this name that was made of CRM data."""
        found: list[_Segment] = []
        for number in range(MOST_PAGES):
            params = {"limit": str(PAGE), "offset": str(number * PAGE)}
            page = (await self._ask("GET", "/v1/management/segments", params=params)).read(_Segments).segments
            found += [one for one in page if one.name == name and one.type == "uploading" and one.content_type == "crm"]
            if len(page) < PAGE:
                break
        return min(found, key=lambda one: (one.create_time, one.id), default=None)

    async def _created(self, name: str, rows: Sequence[str]) -> tuple[_Segment, bool]:
        """(the segment, whether it was made of these rows). Another process may have made one meanwhile: the older stays."""
        try:
            uploaded = await self._ask("POST", "/v1/management/segments/upload_csv_file", files=_file(rows))
        except CallError as error:
            if len(rows) < LEAST and error.outcome.reason == _BAD_FILE:
                raise CallError(too_small(len(rows), LEAST)) from None
            raise
        own = uploaded.read(_One).segment.id
        body = {"id": own, "name": name, "hashed": True, "hashing_alg": "SHA256", "content_type": "crm"}
        path = f"/v1/management/segment/{own}"
        try:
            confirmed = await self._ask(
                "POST", f"{path}/confirm", params={"check_size": "false"}, json={"segment": body}
            )
            made = confirmed.read(_One).segment
        except CallError as error:
            if not error.lost or (there := await self._found(name)) is None:
                raise
            made = there
        oldest = await self._found(name)
        if oldest is None or oldest.id == own:
            return made, True
        await self._ask("DELETE", path)
        return oldest, False

    async def _ask(self, method: str, path: str, **content: Any) -> Answer:
        token = {"Authorization": f"OAuth {self._token.get_secret_value()}"}
        answer = await self._line.ask(method, path, headers=token, **content)
        if not answer.accepted:
            raise _error(answer)
        return answer


_BAD_FILE: Final = "service_refused: invalid_parameter"


def _rows(contacts: Sequence[Hashed]) -> Sequence[str]:
    """One identifier a line, none twice."""
    rows: dict[str, None] = {}
    for contact in contacts:
        if contact.email is not None:
            rows[f"{contact.email},"] = None
        if contact.phone is not None:
            rows[f",{contact.phone}"] = None
    return tuple(rows)


def _file(rows: Sequence[str]) -> dict[str, tuple[str, bytes, str]]:
    return {"file": ("contacts.csv", "\n".join(("email,phone", *rows, "")).encode(), "text/csv")}


def _done(segment: _Segment) -> Done:
    return Done(provider_id=str(segment.id), matched=segment.matched_quantity)


def _error(answer: Answer) -> CallError:
    errors = place(answer.body, "errors")
    kind = place(errors[0], "error_type") if isinstance(errors, list) and errors else None
    code = kind if isinstance(kind, str) else str(answer.status)
    if answer.status == 429:
        return limited(_wait(answer, code), code)
    if answer.status in {401, 403}:
        return unauthorized(code)
    if answer.status == 404:
        return CallError(Later("audience_gone", after=1.0))
    return refused(code)


def _wait(answer: Answer, code: str) -> float:
    """Retry-After; else until midnight in Moscow if the day's quota is used up, else a minute, the shortest of the quotas."""
    asked = asked_wait(answer.headers)
    if asked is not None:
        return asked
    now = told_at(answer.headers)
    if "login" not in code or now is None:
        return LIMIT_SECONDS
    here = now.astimezone(MOSCOW)
    midnight = datetime.combine(here.date() + timedelta(days=1), datetime.min.time(), MOSCOW)
    return (midnight - here).total_seconds()
