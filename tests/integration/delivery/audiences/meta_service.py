"""Meta's Marketing API, as far as Custom Audiences go, strictly by its documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.integration.delivery.audiences.strict_service import SHA256, StrictService

TOKEN = "EAAB-test-token"
ACCOUNT = "1234567890"
OPERATORS = {"EQUAL", "NOT_EQUAL", "CONTAIN", "NOT_CONTAIN", "IN", "NOT_IN", "STARTS_WITH", "ENDS_WITH"}
KEYS = {
    "EXTERN_ID",
    "EMAIL",
    "PHONE",
    "GEN",
    "DOBY",
    "DOBM",
    "DOBD",
    "LN",
    "FN",
    "FI",
    "CT",
    "ST",
    "ZIP",
    "MADID",
    "COUNTRY",
}
SOURCES = {"USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"}


@dataclass
class CustomAudience:
    name: str
    subtype: str
    created: int
    members: set[tuple[str, ...]] = field(default_factory=set)


@dataclass
class MetaService(StrictService):
    """What the account holds: audiences by id. `invalid`: hashes it finds no good."""

    audiences: dict[str, CustomAudience] = field(default_factory=dict)
    invalid: set[str] = field(default_factory=set)
    page: int = 100

    def have(self, name: str, *, subtype: str = "CUSTOM", created: int | None = None) -> str:
        """An audience that is there; its id."""
        number = str(23_850_000_000_000_000 + len(self.asked) * 100 + len(self.audiences))
        self.audiences[number] = CustomAudience(
            name, subtype, 1_700_000_000 + len(self.audiences) if created is None else created
        )
        return number

    def named(self, name: str) -> list[str]:
        """Ids of the customer file audiences of a name."""
        return [number for number, one in self.audiences.items() if one.name == name and one.subtype == "CUSTOM"]

    def error(self, code: int, subcode: int | None = None, status: int = 400, **more: Any) -> Response:
        # «Handling Errors»: {"error": {message, type, code, error_subcode, fbtrace_id}}
        error = {
            "message": "…",
            "type": "OAuthException",
            "code": code,
            "error_subcode": subcode,
            "fbtrace_id": "A",
        } | more
        return JSONResponse({"error": error}, status)

    def against_rules(self, said: str) -> Response:
        return self.error(100, message=said)

    async def answer(self, request: Request) -> Response:
        # «Access Tokens»: a request needs a valid one; in the address it would be in every log.
        self.rule(TOKEN not in str(request.url), "a token in the address")
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.error(190)
        parts = request.url.path.strip("/").split("/")
        self.rule(parts[0] == "v25.0", "the version is the first part of the path")
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        match request.method, parts[1:]:
            case "GET", [account, "customaudiences"] if account == f"act_{ACCOUNT}":
                return self._list(dict(request.query_params))
            case "POST", [account, "customaudiences"] if account == f"act_{ACCOUNT}":
                return self._create(form)
            case ("POST" | "DELETE") as method, [number, "users"]:
                return self._change(method, number, form)
            case "DELETE", [number]:
                # Graph API: «Deleting»: {"success": true}
                del self.audiences[number]
                return JSONResponse({"success": True})
        self.rule(False, f"no such request: {request.method} {request.url.path}")
        raise AssertionError

    def _list(self, query: dict[str, str]) -> Response:
        # «Ad Account Customaudiences», «Reading», «Parameters»
        self.rule(
            set(query) <= {"fields", "filtering", "limit", "after", "pixel_id", "business_id"}, "parameters of reading"
        )
        self.rule(
            set(query["fields"].split(",")) <= {"id", "name", "subtype", "time_created"}, "fields of a Custom Audience"
        )
        for one in orjson.loads(query["filtering"]):
            self.rule(
                set(one) == {"field", "operator", "value"} and one["operator"] in OPERATORS, "a filter has three parts"
            )
        wanted = orjson.loads(query["filtering"])[0]["value"]
        there = [number for number, one in self.audiences.items() if wanted in one.name]
        start = int(query.get("after", "0"))
        shown = there[start : start + min(self.page, int(query["limit"]))]
        data = [
            {
                "id": n,
                "name": self.audiences[n].name,
                "subtype": self.audiences[n].subtype,
                "time_created": self.audiences[n].created,
            }
            for n in shown
        ]
        # Graph API, «Paginated Results», «Cursor-based Pagination»: `next` is there while there is a next page.
        end = start + len(shown)
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(end)}}
        if end < len(there):
            paging["next"] = "https://graph.facebook.com/…"
        return JSONResponse({"data": data, "paging": paging if data else {}})

    def _create(self, form: dict[str, str]) -> Response:
        # «Customer File Custom Audiences», «Create a Custom Audience»: name, subtype CUSTOM, customer_file_source
        self.rule(set(form) <= {"name", "subtype", "description", "customer_file_source"}, "fields of a new audience")
        self.rule(
            form["subtype"] == "CUSTOM" and form["customer_file_source"] in SOURCES,
            "where the contacts come from is said",
        )
        return JSONResponse({"id": self.have(form["name"])})

    def _change(self, method: str, number: str, form: dict[str, str]) -> Response:
        # «Custom Audience Users»: payload, session, namespace
        self.rule(set(form) <= {"payload", "session", "namespace"}, "parameters of users")
        payload = orjson.loads(form["payload"])
        self.rule(set(payload) <= {"schema", "data", "is_raw", "app_ids", "page_ids"}, "parts of the payload")
        schema, rows = payload["schema"], payload["data"]
        self.rule(
            isinstance(schema, list) and set(schema) <= KEYS, "«External Identifiers, multi-key»: keys of the schema"
        )
        # «… only a maximum of 10000 at a time»
        self.rule(0 < len(rows) <= 10_000, "up to 10,000 records in one request")
        for row in rows:
            # «Hashing and Normalizing Data»: SHA256, hex, lower case; a key without a value is an empty string
            self.rule(len(row) == len(schema) and any(row), "a row has a value for each key of the schema")
            self.rule(
                all(part == "" or SHA256.fullmatch(part) for part in row), "every value is hashed with SHA-256 in hex"
            )
        if number not in self.audiences:
            return self.error(100, 33)
        bad = [row for row in rows if self.invalid & set(row)]
        good = {tuple(row) for row in rows if row not in bad}
        members = self.audiences[number].members
        if method == "POST":
            members |= good
        else:
            members -= good
        # «Return Type»: audience_id, session_id: numeric string; num_received, num_invalid_entries; invalid_entry_samples: map
        return JSONResponse(
            {
                "audience_id": number,
                "session_id": "8812345678901234567",
                "num_received": len(rows),
                "num_invalid_entries": len(bad),
                "invalid_entry_samples": {str(i): " ".join(row) for i, row in enumerate(bad)},
            }
        )
