"""K5, M7: files of letters over the API and the pages: for whom, as what, and no more after an erasure."""

from __future__ import annotations

from email.message import EmailMessage
from uuid import UUID, uuid4

import httpx
import pytest

from services.database import Pool
from services.health import Health
from services.privacy.store import KeyRing, destroy_keys
from services.settings import Settings
from services.web.app import create_app
from tests.integration.mail_case import Mail
from tests.integration.tokens import make_token

PLAN = b"%PDF plan" * 300_000


@pytest.fixture
async def mail(settings: Settings, pool: Pool) -> Mail:
    return Mail(settings, pool)


async def a_letter(mail: Mail) -> tuple[UUID, UUID, UUID, bytes]:
    """A letter with a file: its id, the file's and the original's, and its bytes."""
    made = EmailMessage()
    made["From"], made["To"] = "anna@client.example", "leads@firma.example"
    made.set_content("во вложении")
    made.add_attachment(PLAN, maintype="text", subtype="html", filename='план; "кухни".html')
    raw = made.as_bytes()
    await mail.post.take(raw, way="smtp", source="test", recipients=["leads@firma.example"])
    [(inbound_id, _, body)] = await mail.kept()
    return inbound_id, UUID(body["attachments"][0]["blob"]), UUID(body["raw_blob"]), raw


def door(settings: Settings, pool: Pool) -> httpx.AsyncClient:
    app = create_app(settings, pool, KeyRing(settings.master_key_bytes), Health("door"))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door")


async def linked(pool: Pool, inbound_id: UUID) -> None:
    """What the aggregate service writes of a message that became a lead."""
    await pool.execute(
        """INSERT INTO leadline.inbound_outcomes (inbound_id, attempt, outcome, lead, channel, account, received_at, at)
           VALUES ($1, 1, 'accepted', $2, 'mail', 'leads@firma.example', now(), now())""",
        inbound_id,
        uuid4(),
    )


async def test_K5_a_file_is_downloaded_whole_and_never_shown(settings: Settings, pool: Pool, mail: Mail) -> None:
    inbound_id, file, original, raw = await a_letter(mail)
    token = {"Authorization": f"Bearer {await make_token(pool, 'olga', 'ops')}"}
    async with door(settings, pool) as client:
        answer = await client.get(f"/api/intake/{inbound_id}/blobs/{file}", headers=token)
        assert (answer.status_code, answer.content) == (200, PLAN)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%D0%BF")
        letter = await client.get(f"/api/intake/{inbound_id}/blobs/{original}", headers=token)
        assert letter.content == raw
        assert "letter.eml" in letter.headers["content-disposition"]
        assert (await client.get(f"/api/intake/{uuid4()}/blobs/{file}", headers=token)).status_code == 404
        assert (await client.get(f"/api/intake/{inbound_id}/blobs/{uuid4()}", headers=token)).status_code == 404


async def test_I_files_of_a_lead_are_for_sellers_others_for_head_and_ops(
    settings: Settings, pool: Pool, mail: Mail
) -> None:
    inbound_id, file, _, _ = await a_letter(mail)
    async with door(settings, pool) as client:

        async def status(role: str) -> int:
            headers = {"Authorization": f"Bearer {await make_token(pool, role, role)}"}
            return (await client.get(f"/api/intake/{inbound_id}/blobs/{file}", headers=headers)).status_code

        roles = ("seller", "head", "ops", "auditor", "adapter")
        assert [await status(role) for role in roles] == [403, 200, 200, 403, 403]
        await linked(pool, inbound_id)
        assert [await status(role) for role in roles] == [200, 200, 200, 403, 403]
        assert (await client.get(f"/api/intake/{inbound_id}/blobs/{file}")).status_code == 401


async def test_M7_an_erased_letter_s_files_open_no_more(settings: Settings, pool: Pool, mail: Mail) -> None:
    inbound_id, file, original, _ = await a_letter(mail)
    token = {"Authorization": f"Bearer {await make_token(pool, 'olga', 'ops')}"}
    async with door(settings, pool) as client:
        assert (await client.get(f"/api/intake/{inbound_id}/blobs/{file}", headers=token)).status_code == 200
        async with pool.acquire() as connection:
            await destroy_keys(connection, inbound_id)
        for blob in (file, original):
            assert (await client.get(f"/api/intake/{inbound_id}/blobs/{blob}", headers=token)).status_code == 410


async def test_K5_a_file_somebody_changed_is_not_given_out(settings: Settings, pool: Pool, mail: Mail) -> None:
    inbound_id, file, _, _ = await a_letter(mail)
    token = {"Authorization": f"Bearer {await make_token(pool, 'olga', 'ops')}"}
    await pool.execute("DELETE FROM leadline.blob_pieces WHERE blob = $1 AND number = 2", file)
    await pool.execute("UPDATE leadline.blobs SET pieces = 2 WHERE id = $1", file)
    async with door(settings, pool) as client:
        with pytest.raises(AssertionError):  # the transport's: the answer is cut off, so that nobody takes it for whole
            await client.get(f"/api/intake/{inbound_id}/blobs/{file}", headers=token)


async def test_U_the_message_s_page_links_to_its_files(settings: Settings, pool: Pool, mail: Mail) -> None:
    inbound_id, file, original, _ = await a_letter(mail)
    token = await make_token(pool, "olga", "ops")
    async with door(settings, pool) as client:
        assert (await client.post("/login", data={"token": token})).status_code == 303
        page = await client.get(f"/intake/{inbound_id}")
        for blob in (file, original):
            link = f"/intake/{inbound_id}/blobs/{blob}"
            assert link in page.text
            assert (await client.get(link)).status_code == 200
