"""`/api/intake/{inbound_id}/blobs/{blob}`: the original of a letter and the files that came with it (K5).

Invariants: sellers get files of messages that became or joined a lead; others are for those who may open messages. A file is
only ever downloaded, never shown: what a stranger sent must not run as a page of ours.
"""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from services.channels.blobs.opening import BlobReader
from services.web.door import Asking, Door, TheDoor
from services.web.tokens import COMMAND, OPEN_BODIES, Holder

router = APIRouter(tags=["intake"])


@router.get(
    "/api/intake/{inbound_id}/blobs/{blob}",
    summary="A file that came with a message, or its original",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}, 410: {"description": "Erased with its person"}},
)
async def read_blob(door: TheDoor, holder: Asking, inbound_id: UUID, blob: UUID) -> Response:
    return await download(door, holder, inbound_id, blob)


async def download(door: Door, holder: Holder, inbound_id: UUID, blob: UUID) -> Response:
    """The file as a download. Raises ProblemError (403), UnacceptableError (404, 410)."""
    holder.must(OPEN_BODIES | COMMAND, "open files of messages")
    opened = await BlobReader(door.pool, door.ring).opened(inbound_id, blob)
    if not opened.linked:
        holder.must(OPEN_BODIES, "open files of messages that became no lead")
    return StreamingResponse(
        opened.pieces,
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(opened.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(opened.name, safe='')}",
        },
    )
