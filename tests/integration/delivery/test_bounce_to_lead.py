"""R3: out by the adapter, back as a report: what a mail server says of our letter comes to its lead (C3, C9)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.database import Pool
from services.delivery.port import Done
from services.settings import Settings
from tests.integration.delivery.mail_out_case import a_letter, sent
from tests.integration.delivery.strict_smtp import strict
from tests.integration.mail_case import Mail
from tests.integration.mail_case import letter as letter_in
from tests.integration.test_mail_to_lead import taken
from tests.integration.web_case import Web, door_over


@pytest.fixture
async def web(settings: Settings, pool: Pool) -> AsyncIterator[Web]:
    async with door_over(settings, pool) as it:
        yield it


async def test_R3_a_report_about_our_letter_joins_its_lead_also_when_it_names_another_address(
    web: Web, settings: Settings, pool: Pool
) -> None:
    mail = Mail(settings, pool)
    _, _, _, lead = await taken(web, mail, letter_in(headers="Message-ID: <first@client.example>\r\n"))
    assert lead is not None
    ours = a_letter(thread=str(lead))
    async with strict() as server:
        assert isinstance(await sent(server.port, ours), Done)
    [raw] = server.letters
    [envelope] = [c for c in server.commands if c.startswith("MAIL")]
    back = envelope.partition("<")[2].partition(">")[0]
    assert back == f"leads+{lead}@firma.example"
    report = (
        f"From: MAILER-DAEMON@mx.elsewhere.example\r\nTo: {back}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Message-ID: <r1@mx.elsewhere.example>\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-replied\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.elsewhere.example\r\n\r\n"
        "Final-Recipient: rfc822; forwarded@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
    ).encode() + raw + b"\r\n--b--\r\n"  # fmt: skip
    inbound_id, outcome, _, joined = await taken(web, mail, report, to=back, sender="")
    assert (outcome, joined) == ("joined", lead)
    assert "automatic_mail_received" in await web.leads.types(lead)
    kept = next(body for known, _, body in await mail.kept() if known == inbound_id)
    assert kept["kind"] == "bounce"
    assert kept["in_reply_to"] == ours.message_id.strip("<>")
    assert kept["thread"] == str(lead)
