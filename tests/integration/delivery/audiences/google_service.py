"""Google's Data Manager API and the token endpoint of its OAuth server, strictly by their documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.integration.delivery.audiences.strict_service import SHA256, StrictService

ACCOUNT, LOGIN = "1112223333", "9998887777"
CLIENT = {"client_id": "1.apps.example", "client_secret": "GOCSPX-test", "refresh_token": "1//test"}
LISTS = f"/v1/accountTypes/GOOGLE_ADS/accounts/{ACCOUNT}/userLists"


@dataclass
class UserList:
    name: str
    contacts: bool = True
    members: set[frozenset[tuple[str, str]]] = field(default_factory=set)
    sizes: dict[str, str] | None = None


@dataclass
class GoogleService(StrictService):
    """What the account holds: lists by id. `bad`: hashes that make a record bad. `tells_all`: whether an error names every bad
    record, or the first alone."""

    lists: dict[str, UserList] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    consents: list[Any] = field(default_factory=list)
    tokens: int = 0
    page: int = 100
    tells_all: bool = True

    def have(self, name: str, **more: Any) -> str:
        """A list that is there; its id."""
        number = str(8_000_000_000 + len(self.lists))
        self.lists[number] = UserList(name, **more)
        return number

    def named(self, name: str) -> list[str]:
        """Ids of the lists of a name."""
        return [number for number, one in self.lists.items() if one.name == name]

    def error(self, status: int, canonical: str, *details: dict[str, Any]) -> Response:
        # «Understand API errors»: the standard error model, google.rpc.Status
        error = {"code": status, "message": "…", "status": canonical, "details": list(details)}
        return JSONResponse({"error": error}, status)

    def against_rules(self, said: str) -> Response:
        return self.error(400, "INVALID_ARGUMENT", reason("INVALID_ARGUMENT"))

    async def answer(self, request: Request) -> Response:
        if request.url.path == "/token":
            return await self._token(request)
        if request.headers.get("authorization") != f"Bearer ya29.{self.tokens}" or not self.tokens:
            return self.error(401, "UNAUTHENTICATED")
        body = orjson.loads(await request.body() or b"{}")
        match request.method, request.url.path:
            case "GET", path if path == LISTS:
                return self._list(request)
            case "POST", path if path == LISTS:
                return self._create(request, body)
            case "POST", "/v1/audienceMembers:ingest":
                return self._change(body, adds=True)
            case "POST", "/v1/audienceMembers:remove":
                return self._change(body, adds=False)
        self.rule(False, f"no such request: {request.method} {request.url.path}")
        raise AssertionError

    async def _token(self, request: Request) -> Response:
        # RFC 6749, 6 and 2.3.1: a form, with the client's credentials
        self.rule(request.headers["content-type"] == "application/x-www-form-urlencoded", "RFC 6749, 6: a form")
        form = dict(await request.form())
        self.rule(form.pop("grant_type", "") == "refresh_token", "RFC 6749, 6: grant_type refresh_token")
        if form != CLIENT:
            return JSONResponse({"error": "invalid_grant", "error_description": "Bad Request"}, 400)
        self.tokens += 1
        return JSONResponse({"access_token": f"ya29.{self.tokens}", "expires_in": 3599, "token_type": "Bearer"})

    def _list(self, request: Request) -> Response:
        # userLists.list: filter, pageSize, pageToken; header login-account: resource name of the account of the credentials
        query = request.query_params
        self.rule(set(query) <= {"filter", "pageSize", "pageToken"}, "parameters of userLists.list")
        self._login(request)
        asked = re.fullmatch(r'display_name = "((?:[^"\\]|\\.)*)"', query["filter"])
        self.rule(asked is not None, "AIP-160: a field, an operator, a quoted string")
        assert asked is not None
        name = re.sub(r"\\(.)", r"\1", asked.group(1))
        there = [number for number, one in self.lists.items() if one.name == name]
        start = int(query.get("pageToken", "0"))
        shown = there[start : start + min(self.page, int(query["pageSize"]))]
        found: dict[str, Any] = {"userLists": [self._shown(number) for number in shown]} if shown else {}
        if start + len(shown) < len(there):
            found["nextPageToken"] = str(start + len(shown))
        return JSONResponse(found)

    def _create(self, request: Request, body: dict[str, Any]) -> Response:
        # «Create a Customer Match audience»: displayName required; ingestedUserListInfo with uploadKeyTypes
        self._login(request)
        self.rule(
            set(body) <= {"displayName", "description", "membershipDuration", "ingestedUserListInfo"},
            "fields of UserList",
        )
        info = body["ingestedUserListInfo"]
        self.rule(info["uploadKeyTypes"] == ["CONTACT_ID"], "contact information needs CONTACT_ID")
        self.rule(
            info["contactIdInfo"]["dataSourceType"] == "DATA_SOURCE_TYPE_FIRST_PARTY", "contactIdInfo.dataSourceType"
        )
        if self.named(body["displayName"]):
            # «ErrorReason»: DISPLAY_NAME_ALREADY_USED
            return self.error(400, "INVALID_ARGUMENT", reason("DISPLAY_NAME_ALREADY_USED"))
        return JSONResponse(self._shown(self.have(body["displayName"])))

    def _change(self, body: dict[str, Any], *, adds: bool) -> Response:
        # IngestAudienceMembersRequest and RemoveAudienceMembersRequest: their fields, and no others (proto3 JSON)
        fields = {"destinations", "audienceMembers", "encoding", "validateOnly", "encryptionInfo"}
        self.rule(set(body) <= fields | ({"consent", "termsOfService"} if adds else set()), "fields of the request")
        # «Limits and quotas»: 10,000 members, 10 destinations, 10 identifiers of one member
        self.rule(1 <= len(body["audienceMembers"]) <= 10_000, "up to 10,000 audience members")
        self.rule(len(body["destinations"]) == 1, "one destination")
        destination = body["destinations"][0]
        self.rule(
            destination["operatingAccount"] == {"accountType": "GOOGLE_ADS", "accountId": ACCOUNT}, "operatingAccount"
        )
        self.rule(destination["loginAccount"] == {"accountType": "GOOGLE_ADS", "accountId": LOGIN}, "loginAccount")
        # «Encoding»: required for UserData uploads
        self.rule(body["encoding"] == "HEX", "encoding")
        if adds:
            # «Upload audience members»: customerMatchTermsOfServiceStatus ACCEPTED
            self.rule(body["termsOfService"] == {"customerMatchTermsOfServiceStatus": "ACCEPTED"}, "termsOfService")
            self.consents.append(body.get("consent"))
        violations = []
        records = []
        for position, member in enumerate(body["audienceMembers"]):
            identifiers = member["compositeData"]["userData"]["userIdentifiers"]
            self.rule(1 <= len(identifiers) <= 10, "up to 10 identifiers")
            for number, identifier in enumerate(identifiers):
                # UserIdentifier: exactly one of emailAddress, phoneNumber, address
                self.rule(len(identifier) == 1 and set(identifier) <= {"emailAddress", "phoneNumber"}, "UserIdentifier")
                [(kind, value)] = identifier.items()
                # «Format user data»: SHA-256, in hex
                self.rule(SHA256.fullmatch(value) is not None, "every identifier is hashed with SHA-256 in hex")
                if value in self.bad:
                    place = f"audience_members[{position}].composite_data.user_data.user_identifiers[{number}].{kind}"
                    violations.append({"field": place, "description": "…", "reason": "INVALID_FORMAT"})
            records.append(frozenset((kind, value) for one in identifiers for kind, value in one.items()))
        if destination["productDestinationId"] not in self.lists:
            return self.error(400, "INVALID_ARGUMENT", reason("INVALID_USER_LIST_ID"))
        if violations:
            # «Fail-fast model»: the whole request fails, BadRequest tells the fields
            told = violations if self.tells_all else violations[:1]
            bad = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": told}
            return self.error(400, "INVALID_ARGUMENT", reason("INVALID_ARGUMENT"), bad)
        members = self.lists[destination["productDestinationId"]].members
        if adds:
            members |= set(records)
        else:
            members -= set(records)
        return JSONResponse({"requestId": f"126365e1-{len(self.asked)}"})

    def _login(self, request: Request) -> None:
        login = request.headers.get("login-account")
        self.rule(login == f"accountTypes/GOOGLE_ADS/accounts/{LOGIN}", "header login-account")

    def _shown(self, number: str) -> dict[str, Any]:
        one = self.lists[number]
        info = {"uploadKeyTypes": ["CONTACT_ID" if one.contacts else "MOBILE_ID"]}
        shown = {"name": f"{LISTS[4:]}/{number}", "id": number, "displayName": one.name, "ingestedUserListInfo": info}
        return shown | ({"sizeInfo": one.sizes} if one.sizes else {})


def reason(word: str) -> dict[str, Any]:
    """google.rpc.ErrorInfo."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word, "domain": "datamanager.googleapis.com"}
