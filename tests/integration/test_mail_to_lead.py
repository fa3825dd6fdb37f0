"""A letter's whole way, from a real SMTP client to the lead and the person's addresses (K5, C3, C9, N18)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from services.database import Pool
from services.settings import Settings
from tests.integration.mail_case import Mail, letter, listening, send
from tests.integration.web_case import Web, deliver, door_over

CORPUS = Path(__file__).parents[1] / "unit" / "mail_corpus"
BOUNCE = """\
From: Mail Delivery System <MAILER-DAEMON@client.example>\r
To: leads@firma.example\r
Subject: Undelivered Mail Returned to Sender\r
Message-ID: <bounce-1@client.example>\r
Auto-Submitted: auto-replied\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
<anna@client.example>: user unknown\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.client.example\r
\r
Final-Recipient: rfc822; anna@client.example\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 user unknown\r
--b--\r
"""


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    """The door over the aggregate service."""
    async with door_over(settings, pool) as made:
        yield made


async def taken(
    web: Web, mail: Mail, raw: bytes, to: str = "leads@firma.example", sender: str = "anna@client.example"
) -> tuple[UUID, str, str | None, UUID | None]:
    """Send, and hand it on as the relay would: the message, its outcome, reason, lead."""
    async with listening(mail) as listener:
        code, said = await send(listener, raw, to=[to], sender=sender)
        assert code == 250, said
    await deliver(web)
    row = await web.pool.fetchrow(
        "SELECT inbound_id, outcome, reason, lead FROM leadline.inbound_outcomes ORDER BY at DESC, inbound_id DESC LIMIT 1"
    )
    assert row is not None
    return row["inbound_id"], row["outcome"], row["reason"], row["lead"]


async def test_K5_C3_letter_makes_a_lead_its_answer_joins_it_and_a_bounce_proves_the_address_wrong(
    web: Web, settings: Settings, pool: Pool
) -> None:
    mail = Mail(settings, pool)
    _, outcome, _, lead = await taken(web, mail, letter(headers="Message-ID: <first@client.example>\r\n"))
    assert outcome == "accepted"
    assert lead is not None
    types = await web.leads.types(lead)
    assert types[:3] == ["captured", "stage_entered", "letter_received"]
    contact = await pool.fetchval("SELECT contact FROM leadline.identities WHERE kind = 'email'")

    # an answer to the conversation's own address
    _, outcome, _, joined = await taken(
        web,
        mail,
        letter("Жду ответа", headers="Message-ID: <second@client.example>\r\n"),
        f"leads+{lead}@firma.example",
    )
    assert (outcome, joined) == ("joined", lead)
    assert "identity_confirmed" in await web.leads.types(contact)

    _, outcome, _, told = await taken(web, mail, BOUNCE.encode())
    assert (outcome, told) == ("joined", lead)
    assert (await web.leads.types(contact))[-1] == "identity_wrong"


async def test_N18_letter_without_a_sender_waits_and_becomes_a_lead_when_mended(
    web: Web, settings: Settings, pool: Pool
) -> None:
    mail = Mail(settings, pool)
    raw = letter(headers="Message-ID: <nobody@client.example>\r\n").replace(
        b"From: Anna <anna@client.example>\r\n", b""
    )
    inbound_id, outcome, reason, lead = await taken(web, mail, raw, sender="")
    assert (outcome, lead) == ("quarantined", None)
    assert reason is not None
    assert "sender" in reason
    async with web.api("head") as head:
        mended = await head.post(f"/api/intake/{inbound_id}/mend", json={"fields": {"sender": "anna@client.example"}})
        assert mended.status_code in (200, 202), mended.text
    await deliver(web)
    row = await pool.fetchrow("SELECT outcome, lead FROM leadline.inbound_outcomes WHERE inbound_id = $1", inbound_id)
    assert row is not None
    assert row["outcome"] == "accepted"
    first = (await web.leads.history(row["lead"]))[0]
    assert first.data.received_at < first.meta.recorded_at


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.glob("*.eml"))[::6])
async def test_N18_every_letter_of_the_corpus_has_an_outcome(
    web: Web, settings: Settings, pool: Pool, name: str
) -> None:
    mail = Mail(settings, pool)
    async with listening(mail) as listener:
        code, said = await send(listener, (CORPUS / name).read_bytes())
    await deliver(web)
    kept = await pool.fetchval("SELECT count(*) FROM leadline.intake")
    assert kept == await pool.fetchval("SELECT count(*) FROM leadline.inbound_outcomes")
    assert (code, kept) == (250, 1) or (code == 554 and kept == 0), said
