"""The VK Ads API (ads.vk.com), as far as users lists and tokens go, strictly by its documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.integration.delivery.audiences.strict_service import MD5, StrictService

CLIENT = {"client_id": "vk-client", "client_secret": "vk-secret", "refresh_token": "vk-refresh"}
LISTS = "/api/v3/remarketing/users_lists.json"


@dataclass
class UsersList:
    name: str
    kind: str
    base: int = 0
    lines: set[str] = field(default_factory=set)
    status: str = "ready"
    matched: int | None = None
    taken_out: list[set[str]] = field(default_factory=list)


@dataclass
class VkService(StrictService):
    """What the account holds: lists by id. `bad`: hashes it finds no good; `refuses_bad`: whether it then takes nothing (400), or
    all the others (200), which the documents both show."""

    lists: dict[int, UsersList] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    refuses_bad: bool = False
    tokens: int = 0

    def have(self, name: str, kind: str, **more: Any) -> int:
        """A list that is there; its id."""
        number = 2_500_000 + len(self.lists) + len(self.asked) * 100
        self.lists[number] = UsersList(name, kind, **more)
        return number

    def named(self, name: str, kind: str) -> list[int]:
        """Ids of the lists of a name and kind that are no change of another."""
        return [n for n, one in self.lists.items() if (one.name, one.kind, one.base) == (name, kind, 0)]

    def against_rules(self, said: str) -> Response:
        return JSONResponse({"error": {"code": "validation_failed", "fields": {}}}, 400)

    async def answer(self, request: Request) -> Response:
        if request.url.path == "/api/v2/oauth2/token.json":
            return await self._token(request)
        # «Authorization», «Errors when using invalid tokens»: 401 {"code", "message"}
        if request.headers.get("authorization") != f"Bearer vk-{self.tokens}" or not self.tokens:
            return JSONResponse({"code": "expired_token", "message": "Access token is expired"}, 401)
        match request.method, request.url.path:
            case "GET", path if path == LISTS:
                return self._list(dict(request.query_params))
            case "GET", path:
                # «RemarketingUsersList», «GET»
                number = self._number(path)
                return JSONResponse(self._shown(number)) if number in self.lists else JSONResponse({}, 404)
            case "POST", path if path == LISTS:
                return await self._upload(request)
            case "DELETE", path:
                # «RemarketingUsersList», «DELETE»: 204
                del self.lists[self._number(path)]
                return Response(status_code=204)
        self.rule(False, f"no such request: {request.method} {request.url.path}")
        raise AssertionError

    def _number(self, path: str) -> int:
        return int(path.removeprefix(LISTS.removesuffix(".json") + "/").removesuffix(".json"))

    async def _token(self, request: Request) -> Response:
        # «Refreshing an access token»
        self.rule(request.headers["content-type"] == "application/x-www-form-urlencoded", "a form")
        form = dict(await request.form())
        self.rule(form.pop("grant_type", "") == "refresh_token", "a new token would be one of only five")
        if form != CLIENT:
            return JSONResponse({"code": "invalid_client", "message": "Invalid client id or secret provided"}, 401)
        self.tokens += 1
        granted = {"access_token": f"vk-{self.tokens}", "token_type": "bearer", "scope": "", "expires_in": "86400"}
        return JSONResponse(granted | {"refresh_token": CLIENT["refresh_token"]})

    def _list(self, query: dict[str, str]) -> Response:
        # «RemarketingUsersLists», «GET»: _q up to 255 characters; «API standards»: limit up to 50, offset
        self.rule(set(query) <= {"_q", "limit", "offset", "fields", "sorting"}, "parameters of the list")
        self.rule(len(query.get("_q", "")) <= 255, "_q cannot be longer than 255 characters")
        limit, start = int(query.get("limit", "20")), int(query.get("offset", "0"))
        self.rule(limit <= 50, "50 objects at most")
        there = [number for number, one in self.lists.items() if query.get("_q", "") in one.name]
        items = [self._shown(number) for number in there[start : start + limit]]
        return JSONResponse({"count": len(there), "offset": start, "limit": limit, "items": items})

    async def _upload(self, request: Request) -> Response:
        # «RemarketingUsersLists», «POST»: multipart/form-data with file, name, type, base
        form = await request.form()
        file = form.get("file")
        self.rule(isinstance(file, UploadFile) and set(form) <= {"file", "name", "type", "base"}, "parts of the form")
        assert isinstance(file, UploadFile)
        name, kind, base = str(form["name"]), str(form["type"]), int(str(form.get("base", "0")))
        # object «RemarketingUsersList», type: «phones: phone numbers or their hashes», «emails: e-mail addresses or their hashes»
        self.rule(kind in {"phones", "emails"}, "kinds of lists of contacts")
        lines = (await file.read()).decode().rstrip("\n").split("\n")
        # «Plain-text list with one record per line»; errors invalid_md5, duplicated_user_id
        self.rule(all(MD5.fullmatch(line) for line in lines), "invalid_md5: each line is an MD5 in hex")
        self.rule(
            len(set(lines)) == len(lines), "duplicated_user_id: the line with this user id is already in the file"
        )
        if base:
            over = self.lists.get(abs(base))
            if over is None:
                unknown = {"code": "not_found", "message": "Unknown base list"}
                return JSONResponse({"error": {"fields": {"base": [unknown]}}}, 400)
            # «Differential list cannot be based on another differential list», «must have same type as base»
            self.rule(over.base == 0 and over.kind == kind, "unallowed_value, type_mismatch")
        # «no less than 2000 and no more than 5000000 lines»; «A differential list must contain no less than 25»
        self.rule(
            (25 if base else 2_000) <= len(lines) <= 5_000_000, "not_enough_ids: at least 2,000 lines, of a change 25"
        )
        wrong = [(i, line) for i, line in enumerate(lines, 1) if line in self.bad]
        if wrong and self.refuses_bad:
            fields = {"file": [{"line_number": i, "line": line, "code": "invalid_phone"} for i, line in wrong]}
            return JSONResponse({"error": {"fields": fields}}, 400)
        taken = set(lines) - self.bad
        if base:
            over = self.lists[abs(base)]
            if base < 0:
                over.taken_out.append(taken)
                over.lines -= taken
            else:
                over.lines |= taken
        number = self.have(name, kind, base=base, lines=taken, status="receiving")
        # «Invalid format of one or more list items. The rest of the list items have been uploaded»
        errors = [{"line_number": i, "line": line, "error_code": "invalid_phone"} for i, line in wrong]
        return JSONResponse(self._shown(number) | {"error": errors or None})

    def _shown(self, number: int) -> dict[str, Any]:
        one = self.lists[number]
        shown: dict[str, Any] = {
            "id": number,
            "name": one.name,
            "type": one.kind,
            "base": one.base,
            "status": one.status,
        }
        counts = {"entries_count": len(one.lines), "ids_count": len(one.lines), "matched_ids_count": one.matched}
        return shown | counts | {"created": "2026-01-01 10:00:00", "has_history": bool(one.taken_out)}
