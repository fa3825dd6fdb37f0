"""Customer Match audiences of Google Ads by the Data Manager API.

Why this API: since 1 April 2026 the Google Ads API (OfflineUserDataJobService, UserDataService) refuses Customer Match uploads
of developer tokens that had made none before (Google Ads Developer Blog, «Changes to Customer Match Support in the Google Ads
API», 4 March 2026); new integrations belong here. It needs no developer token and no jobs.

Sources: Data Manager API, REST reference v1: `accountTypes.accounts.userLists`, `audienceMembers.ingest`,
`audienceMembers.remove`, «ErrorReason»; guides «Create a Customer Match audience», «Upload audience members», «Remove audience
members», «Limits and quotas», «Understand API errors».

- up to 10,000 audience members in one request, 10 identifiers each; 300 requests a minute, 100,000 a day of a project; above it
  429 RESOURCE_EXHAUSTED;
- a display name is the only one of its account (`DISPLAY_NAME_ALREADY_USED`); a list is found by `filter=display_name = "…"`;
- contact information goes as `compositeData.userData`, SHA-256 with `encoding` HEX; the terms of service must be said to be
  accepted;
- fail-fast: one bad record and nothing of the request is done, and `BadRequest.fieldViolations` name the records
  (`audience_members[3]…`): those are refused, the rest is sent again.

A request is answered as soon as it is accepted; processing takes up to a day. `Done.matched`: the largest of the list's
`sizeInfo` counts (its members on one of Google's networks) at that moment, of the whole list; None while Google shows none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson
from pydantic import BaseModel, Field

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
from services.delivery.audiences.contacts import Hashed, for_google
from services.delivery.audiences.oauth import RefreshingLine
from services.delivery.port import Done, Later, Outcome, Refused
from services.ways_out import GoogleAudiences

MOST_ROUNDS: Final = 5
"""Requests for one call: each leaves out the records that the one before named as bad."""
MOST_PAGES: Final = 20
RECORD: Final = re.compile(r"audience_?[mM]embers\[(\d{1,6})\]")
DURATION: Final = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")

NAME_TAKEN: Final = frozenset({"DISPLAY_NAME_ALREADY_USED", "ALREADY_EXISTS"})
LIST_GONE: Final = frozenset({"INVALID_USER_LIST_ID", "NOT_FOUND", "INVALID_DESTINATION"})
ACCOUNT_REFUSED: Final = frozenset(
    {
        "PERMISSION_DENIED",
        "NOT_ALLOWLISTED",
        "TERMS_AND_CONDITIONS_NOT_SIGNED",
        "ADVERTISER_TOS_NOT_ACCEPTED",
        "ADVERTISER_NOT_ALLOWLISTED_FOR_UPLOADED_DATA",
        "OPERATING_ACCOUNT_LOGIN_ACCOUNT_MISMATCH",
    }
)
"""A person must see to the account first: nothing is lost by waiting."""


class _Sizes(BaseModel):
    displayNetworkMembersCount: int = 0  # noqa: N815 - the service's names
    searchNetworkMembersCount: int = 0  # noqa: N815
    youtubeMembersCount: int = 0  # noqa: N815
    gmailMembersCount: int = 0  # noqa: N815


class _UserList(BaseModel):
    id: str = Field(pattern=r"^[0-9]+$")
    displayName: str = ""  # noqa: N815
    readOnly: bool = False  # noqa: N815
    sizeInfo: _Sizes | None = None  # noqa: N815
    ingestedUserListInfo: dict[str, Any] = Field(default_factory=dict)  # noqa: N815

    @property
    def takes_contacts(self) -> bool:
        """Whether contacts may be put into it."""
        return not self.readOnly and "CONTACT_ID" in self.ingestedUserListInfo.get("uploadKeyTypes", ())

    @property
    def matched(self) -> int | None:
        """Members on the network where it has most."""
        return max(self.sizeInfo.model_dump().values()) if self.sizeInfo is not None else None


class _UserLists(BaseModel):
    userLists: list[_UserList] = Field(default_factory=list)  # noqa: N815
    nextPageToken: str = ""  # noqa: N815


class _Accepted(BaseModel):
    requestId: str  # noqa: N815


class GoogleAdapter(AudienceAdapter):
    """Changes Customer Match lists of one Google Ads account."""

    def __init__(self, account: GoogleAudiences, line: ServiceLine | None = None) -> None:
        super().__init__("google", for_google)
        self._line = RefreshingLine(
            line or ServiceLine(account.base_url),
            account.token_url,
            client_id=account.client_id,
            client_secret=account.client_secret,
            refresh_token=account.refresh_token,
        )
        self._account = account
        self._lists = f"/v1/accountTypes/GOOGLE_ADS/accounts/{account.account}/userLists"
        self._known: dict[str, _UserList] = {}

    async def close(self) -> None:
        """Let go of connections."""
        await self._line.close()

    async def _change(self, name: str, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        user_list = await self._found(name) or self._known.get(name)
        if user_list is None:
            if action == "remove":
                return [Done()] * len(contacts)
            user_list = await self._created(name)
        self._known[name] = user_list
        try:
            return await self._sent(user_list, action, contacts)
        except CallError as error:
            if error.outcome == _GONE:
                self._known.pop(name, None)
            raise

    async def _sent(self, user_list: _UserList, action: Action, contacts: Sequence[Hashed]) -> Sequence[Outcome]:
        """Send all; leave out who is named as bad, and send the rest."""
        outcomes: list[Outcome] = [Later("service_refused: INVALID_ARGUMENT")] * len(contacts)
        waiting = list(range(len(contacts)))
        for _ in range(MOST_ROUNDS):
            answer = await self._line.ask(
                "POST",
                f"/v1/audienceMembers:{'ingest' if action == 'add' else 'remove'}",
                content=orjson.dumps(self._body(user_list, action, [contacts[i] for i in waiting])),
                headers={"Content-Type": "application/json"},
            )
            if answer.accepted:
                done = Done(provider_id=answer.read(_Accepted).requestId, matched=user_list.matched)
                for i in waiting:
                    outcomes[i] = done
                break
            bad = _bad_records(answer, len(waiting))
            if not bad:
                raise _error(answer)
            for position in bad:
                outcomes[waiting[position]] = Refused("service_refused: invalid_record")
            waiting = [i for position, i in enumerate(waiting) if position not in bad]
            if not waiting:
                break
        return outcomes

    def _body(self, user_list: _UserList, action: Action, contacts: Sequence[Hashed]) -> dict[str, Any]:
        account = {"accountType": "GOOGLE_ADS", "accountId": self._account.account}
        destination: dict[str, Any] = {"operatingAccount": account, "productDestinationId": user_list.id}
        if self._account.login_account is not None:
            destination["loginAccount"] = {**account, "accountId": self._account.login_account}
        body: dict[str, Any] = {
            "destinations": [destination],
            "audienceMembers": [{"compositeData": {"userData": {"userIdentifiers": _told(one)}}} for one in contacts],
            "encoding": "HEX",
        }
        if action == "add":
            body["termsOfService"] = {"customerMatchTermsOfServiceStatus": "ACCEPTED"}
            if self._account.consent:
                body["consent"] = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
        return body

    async def _found(self, name: str) -> _UserList | None:
        """The Customer Match list of exactly this name that takes contacts. Raises CallError if the name is another kind's."""
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')  # a string of AIP-160
        params = {"filter": f'display_name = "{quoted}"', "pageSize": "100"}
        found: list[_UserList] = []
        for _ in range(MOST_PAGES):
            answer = await self._line.ask("GET", self._lists, params=params, headers=self._login())
            if not answer.accepted:
                raise _error(answer)
            page = answer.read(_UserLists)
            found += [one for one in page.userLists if one.displayName == name]
            if not page.nextPageToken:
                break
            params["pageToken"] = page.nextPageToken
        if found and not any(one.takes_contacts for one in found):
            raise refused("audience_takes_no_contacts")
        return min((one for one in found if one.takes_contacts), key=lambda one: int(one.id), default=None)

    async def _created(self, name: str) -> _UserList:
        info = {
            "uploadKeyTypes": ["CONTACT_ID"],
            "contactIdInfo": {"dataSourceType": "DATA_SOURCE_TYPE_FIRST_PARTY"},
        }
        body = {"displayName": name, "ingestedUserListInfo": info}
        try:
            answer = await self._line.ask("POST", self._lists, json=body, headers=self._login())
            if answer.accepted:
                return answer.read(_UserList)
            error = _error(answer)
            taken = _reason(answer) in NAME_TAKEN
        except CallError as lost:
            error, taken = lost, lost.lost
        if not taken or (there := await self._found(name)) is None:
            raise error
        return there

    def _login(self) -> dict[str, str]:
        login = self._account.login_account
        return {} if login is None else {"login-account": f"accountTypes/GOOGLE_ADS/accounts/{login}"}


_GONE: Final = Later("audience_gone", after=1.0)


def _told(contact: Hashed) -> list[dict[str, str]]:
    told = []
    if contact.email is not None:
        told.append({"emailAddress": contact.email})
    if contact.phone is not None:
        told.append({"phoneNumber": contact.phone})
    return told


def _details(answer: Answer, kind: str) -> list[Any]:
    """The error's details of one type (google.rpc)."""
    details = place(answer.body, "error", "details")
    of_type = f"type.googleapis.com/google.rpc.{kind}"
    return [one for one in details if place(one, "@type") == of_type] if isinstance(details, list) else []


def _reason(answer: Answer) -> str:
    """`ErrorInfo.reason`, else the canonical code."""
    for info in _details(answer, "ErrorInfo"):
        if isinstance(reason := place(info, "reason"), str):
            return reason
    status = place(answer.body, "error", "status")
    return status if isinstance(status, str) else str(answer.status)


def _bad_records(answer: Answer, sent: int) -> set[int]:
    """Positions of the records that were named as bad; none when the request itself is."""
    bad: set[int] = set()
    for request in _details(answer, "BadRequest"):
        violations = place(request, "fieldViolations")
        for violation in violations if isinstance(violations, list) else ():
            path = place(violation, "field")
            named = RECORD.search(path) if isinstance(path, str) else None
            if named is None:
                return set()
            bad.add(int(named.group(1)))
    return {position for position in bad if position < sent}


def _error(answer: Answer) -> CallError:
    reason = _reason(answer)
    if answer.status == 429:
        return limited(_wait(answer), reason)
    if answer.status in {401, 403} or reason in ACCOUNT_REFUSED:
        return unauthorized(reason)
    if reason in LIST_GONE or answer.status == 404:
        return CallError(_GONE)
    return refused(reason)


def _wait(answer: Answer) -> float | None:
    """`RetryInfo.retryDelay`, else Retry-After, else the minute after which the quota of a minute is new."""
    for info in _details(answer, "RetryInfo"):
        delay = place(info, "retryDelay")
        if isinstance(delay, str) and (told := DURATION.fullmatch(delay)):
            return min(float(told.group(1)), LONGEST_WAIT)
    asked = asked_wait(answer.headers)
    return 60.0 if asked is None else asked
