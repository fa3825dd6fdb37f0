"""Downloading a message's file from its page, with the browser's session (spec U)."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from services.web.api_blobs import download
from services.web.door import TheDoor
from services.web.pages import Visiting

router = APIRouter()


@router.get("/intake/{inbound_id}/blobs/{blob}")
async def blob_page(door: TheDoor, visitor: Visiting, inbound_id: UUID, blob: UUID) -> Response:
    """The file as a download."""
    return await download(door, visitor.holder, inbound_id, blob)
