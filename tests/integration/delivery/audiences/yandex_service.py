"""The Yandex Audience API, as far as segments of CRM data go, strictly by its documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.integration.delivery.audiences.strict_service import SHA256, StrictService

TOKEN = "y0_test-token"
ROOT = "/v1/management"


@dataclass
class Segment:
    name: str = ""
    status: str = "uploaded"
    type: str = "uploading"
    rows: set[str] = field(default_factory=set)
    created: str = "2026-01-01T00:00:00Z"
    matched: int | None = None


@dataclass
class YandexService(StrictService):
    """What the user holds: segments by id. `short_files`: whether an upload of fewer than 100 entries is taken; the documents say
    both that a file has at least 100 and that `check_size` allows less."""

    segments: dict[int, Segment] = field(default_factory=dict)
    short_files: bool = True
    page: int = 10_000

    def have(self, name: str, **more: Any) -> int:
        """A segment that is there, processed; its id."""
        number = 12_000_000 + len(self.segments) + len(self.asked) * 100
        self.segments[number] = Segment(name, **({"status": "processed"} | more))
        return number

    def named(self, name: str) -> list[int]:
        """Ids of the segments of a name that were made of files."""
        return [number for number, one in self.segments.items() if one.name == name and one.type == "uploading"]

    def process(self) -> None:
        """Let everything be processed («Processing takes no more than two hours»)."""
        for segment in self.segments.values():
            if segment.status in {"is_processed", "is_updated"}:
                segment.status, segment.matched = "processed", len(segment.rows) // 2

    def error(self, status: int, kind: str) -> Response:
        # «Error descriptions», «Error format»
        error = {"error_type": kind, "message": "…", "location": ""}
        return JSONResponse({"errors": [error], "code": status, "message": "…"}, status)

    def against_rules(self, said: str) -> Response:
        return self.error(400, "invalid_parameter")

    async def answer(self, request: Request) -> Response:
        # «Authorization»: `Authorization: OAuth …`
        if request.headers.get("authorization") != f"OAuth {TOKEN}":
            return self.error(401, "unauthorized")
        self.rule(request.url.path.startswith(f"{ROOT}/"), "every method is under /v1/management")
        match request.method, request.url.path.removeprefix(f"{ROOT}/").split("/"):
            case "GET", ["segments"]:
                return self._list(dict(request.query_params))
            case "POST", ["segments", "upload_csv_file"]:
                return self._upload(await self._file(request))
            case "POST", ["segment", number, "confirm"]:
                return self._confirm(int(number), request, orjson.loads(await request.body()))
            case "POST", ["segment", number, "modify_data"]:
                return self._modify(int(number), request, await self._file(request))
            case "DELETE", ["segment", number]:
                # «Deleting a segment»
                del self.segments[int(number)]
                return JSONResponse({"success": True})
        self.rule(False, f"no such request: {request.method} {request.url.path}")
        raise AssertionError

    async def _file(self, request: Request) -> set[str]:
        # multipart/form-data, the file under the name `file`
        form = await request.form()
        file = form.get("file")
        self.rule(set(form) == {"file"} and isinstance(file, UploadFile), "the file is the part `file`")
        assert isinstance(file, UploadFile)
        header, *rows = (await file.read()).decode("utf-8").rstrip("\n").split("\n")
        # «Data requirements», «Data from the CRM»: names of columns first; phone or email in every entry; commas between
        self.rule(
            header == "email,phone", "the columns are named in the first line, always the same («file structure»)"
        )
        for row in rows:
            values = row.split(",")
            self.rule(len(values) == 2 and any(values), "an entry has a phone or an e-mail")
            self.rule(
                all(v == "" or SHA256.fullmatch(v) for v in values), "each value is hashed by itself with SHA-256"
            )
        self.rule(len(set(rows)) == len(rows), "no entry twice")
        return set(rows)

    def _list(self, query: dict[str, str]) -> Response:
        # «List of segments»: pixel, limit, offset
        self.rule(set(query) <= {"pixel", "limit", "offset"}, "parameters of the list")
        start = int(query.get("offset", "0"))
        numbers = list(self.segments)[start : start + min(self.page, int(query.get("limit", "10000")))]
        return JSONResponse({"segments": [self._shown(number) for number in numbers]})

    def _upload(self, rows: set[str]) -> Response:
        if len(rows) < 100 and not self.short_files:
            # «There must be at least 100 entries in the file»
            return self.error(400, "invalid_parameter")
        number = self.have("", status="uploaded", rows=rows)
        return JSONResponse({"segment": self._shown(number)})

    def _confirm(self, number: int, request: Request, body: dict[str, Any]) -> Response:
        # «Saving a segment created from a file»
        segment = body["segment"]
        allowed = {"id", "name", "hashed", "hashing_alg", "content_type", "device_matching_type"}
        self.rule(set(body) == {"segment"} and set(segment) <= allowed, "fields of a segment that is saved")
        self.rule(
            segment["id"] == number and segment["content_type"] == "crm", "the segment of the address, of CRM data"
        )
        # «Starting January 2025, uploading new MD5 hashes is no longer supported»
        self.rule(segment["hashed"] is True and segment["hashing_alg"] == "SHA256", "hashed with SHA-256")
        there = self.segments.get(number)
        self.rule(there is not None and there.status == "uploaded", "a segment is saved once")
        assert there is not None
        if len(there.rows) < 100 and request.query_params.get("check_size", "true") != "false":
            return self.error(400, "invalid_parameter")
        there.name, there.status = segment["name"], "is_processed"
        return JSONResponse({"segment": self._shown(number)})

    def _modify(self, number: int, request: Request, rows: set[str]) -> Response:
        # «Modifying the data for a segment created from a file»
        query = dict(request.query_params)
        self.rule(set(query) <= {"modification_type", "check_size"}, "parameters of modify_data")
        self.rule(query["modification_type"] in {"addition", "subtraction", "replace"}, "modification_type")
        there = self.segments.get(number)
        if there is None:
            return self.error(404, "not_found")
        self.rule(there.status not in {"uploaded", "is_processed", "is_updated"}, "not while the segment is processed")
        changed = there.rows | rows if query["modification_type"] == "addition" else there.rows - rows
        if len(changed) < 100 and query.get("check_size", "true") != "false":
            return self.error(400, "invalid_parameter")
        there.rows, there.status = changed, "is_updated"
        return JSONResponse({"segment": self._shown(number)})

    def _shown(self, number: int) -> dict[str, Any]:
        one = self.segments[number]
        shown = {"id": number, "name": one.name, "type": one.type, "status": one.status, "create_time": one.created}
        shown |= (
            {"content_type": "crm", "hashed": True, "item_quantity": len(one.rows)} if one.type == "uploading" else {}
        )
        return shown | ({"matched_quantity": one.matched} if one.matched is not None else {})
