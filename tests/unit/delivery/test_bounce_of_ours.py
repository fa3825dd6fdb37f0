"""R3: a report that our letter did not arrive finds back to its lead, by the token in our address and by our Message-ID."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.channels.mail.reading.company import Company
from services.channels.mail.reading.letter import read_letter
from services.delivery.mail.composing import Written, compose
from tests.unit.delivery.test_composing import LEAD, LETTER, MAIL

OURS = Company.of(["bounce@firma.example", "leads@firma.example"])
ID = LETTER.message_id.strip("<>")


def report(written: Written, returned: str, content: bytes, action: str = "failed", status: str = "5.1.1") -> bytes:
    """As RFC 3464 shows one: to the envelope's sender, from the null sender."""
    return (
        b"From: Mail Delivery System <MAILER-DAEMON@mx.client.example>\r\n"
        b"To: " + written.sender.encode() + b"\r\n"
        b"Subject: Undelivered Mail Returned to Sender\r\n"
        b"Date: Thu, 26 Nov 2026 12:01:00 +0300\r\n"
        b"Message-ID: <20261126090100.4FzX9q@mx.client.example>\r\n"
        b"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="B/mx"\r\n\r\n'
        b"--B/mx\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nI'm sorry to inform you.\r\n\r\n"
        b"--B/mx\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; mx.client.example\r\n\r\n"
        b"Final-Recipient: rfc822; " + written.recipient.encode() + b"\r\n"
        b"Action: " + action.encode() + b"\r\nStatus: " + status.encode() + b"\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"
        b"--B/mx\r\nContent-Type: " + returned.encode() + b"\r\n\r\n" + content + b"\r\n--B/mx--\r\n"
    )


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers", "text/rfc822-headers; charset=us-ascii"])
def test_R3_a_report_names_our_letter_and_its_conversation(returned: str) -> None:
    written = compose(LETTER, MAIL)
    content = written.raw if returned == "message/rfc822" else written.raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    content = b"Return-Path: <" + written.sender.encode() + b">\r\nReceived: from us\r\n" + content
    read = read_letter(
        report(written, returned, content),
        OURS,
        recipients=[written.sender],
        return_path="",
        own_domain="id.firma.example",
    )
    assert read.kind == "bounce"
    assert [(f.address, f.status, f.permanent) for f in read.bounced] == [("anna@client.example", "5.1.1", True)]
    assert read.thread == str(LEAD)
    assert read.account == "bounce@firma.example"
    assert (read.in_reply_to, read.references) == (ID, [ID])
    assert read.loop is None, "a report about our letter is no letter of ours"
    assert read.defects == []


def test_R3_a_report_that_gives_nothing_back_is_known_by_the_token_alone() -> None:
    written = compose(LETTER, MAIL)
    read = read_letter(report(written, "text/plain", b"gone"), OURS, recipients=[written.sender], return_path="")
    assert (read.kind, read.thread, read.in_reply_to) == ("bounce", str(LEAD), None)


def test_R3_a_delay_names_our_letter_and_fails_nobody() -> None:
    written = compose(LETTER, MAIL)
    read = read_letter(
        report(written, "message/rfc822", written.raw, "delayed", "4.4.1"),
        OURS,
        recipients=[written.sender],
        return_path="",
    )
    assert [f.permanent for f in read.bounced] == [False]
    assert read.in_reply_to == ID


def test_R3_the_older_form_with_a_copy_in_its_text_names_our_letter_too() -> None:
    written = compose(replace(LETTER, html=None), MAIL)
    raw = (
        b"From: Mail Delivery System <Mailer-Daemon@mx.client.example>\r\n"
        b"To: " + written.sender.encode() + b"\r\nSubject: Mail delivery failed: returning message to sender\r\n"
        b"X-Failed-Recipients: anna@client.example\r\nMessage-ID: <e1@mx.client.example>\r\n\r\n"
        b"This message was created automatically by mail delivery software.\r\n\r\n"
        b"  anna@client.example\r\n    550 5.1.1 no such user\r\n\r\n"
        b"------ This is a copy of the message, including all the headers. ------\r\n\r\n" + written.raw
    )
    read = read_letter(raw, OURS, recipients=[written.sender], return_path="")
    assert (read.kind, read.thread, read.in_reply_to) == ("bounce", str(LEAD), ID)
    assert [f.address for f in read.bounced] == ["anna@client.example"]


def test_R3_an_answer_and_an_absence_note_find_the_conversation() -> None:
    written = compose(LETTER, MAIL)
    answer = (
        f"From: anna@client.example\r\nTo: leads+{LEAD}@firma.example\r\nSubject: Re: x\r\n"
        f"In-Reply-To: {LETTER.message_id}\r\n\r\nДа\r\n"
    )
    read = read_letter(answer.encode(), OURS)
    assert (read.kind, read.thread, read.in_reply_to, read.account) == ("letter", str(LEAD), ID, "leads@firma.example")
    absent = (
        f"From: anna@client.example\r\nTo: {written.sender}\r\nSubject: Automatic reply\r\nAuto-Submitted: auto-replied\r\n"
        "\r\nI am away\r\n"
    )
    read = read_letter(absent.encode(), OURS, return_path="")
    assert (read.kind, read.thread) == ("auto_reply", str(LEAD))


def test_R3_a_person_s_letter_that_forwards_one_of_ours_answers_nothing_by_that() -> None:
    written = compose(LETTER, MAIL)
    raw = (
        b"From: boris@client.example\r\nTo: leads@firma.example\r\nSubject: Fwd\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + written.raw
    )
    read = read_letter(raw, OURS, own_domain="id.firma.example")
    assert (read.kind, read.in_reply_to, read.references, read.loop) == ("letter", None, [], None)
