"""C9: what a report of non-delivery proves of an address, and whether the letter is still on its way, by real servers' words.

The forms are those of Postfix, Exim, Exchange, Gmail, Yandex and Mail.ru as they stand in public collections, with other names.
"""

from __future__ import annotations

import pytest

from services.channels.mail.reading.bounces import Failure
from services.channels.mail.reading.company import Company
from services.channels.mail.reading.letter import Letter, read_letter

OURS = Company.of(["leads@firma.example"])
HEAD = (
    "Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@mx.client.example>\r\nTo: leads@firma.example\r\n"
    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nMessage-ID: <r1@mx.client.example>\r\n"
)
COPY = "Message-ID: <ours@firma.example>\r\nFrom: leads@firma.example\r\nTo: anna@client.example\r\nSubject: x\r\n\r\nx\r\n"


def report(groups: str, text: str = "I'm sorry.", head: str = "") -> Letter:
    """A letter of RFC 3464 with these recipients' groups."""
    raw = (
        f"{HEAD}{head}Subject: Undelivered Mail Returned to Sender\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.client.example\r\n\r\n{groups}\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{COPY}\r\n--b--\r\n"
    )
    return read_letter(raw.encode(), OURS, recipients=["leads@firma.example"], return_path="")


def group(status: str, diagnostic: str = "", action: str = "failed", recipient: str = "anna@client.example") -> str:
    """What a report says of one recipient."""
    said = f"Diagnostic-Code: {diagnostic}\r\n" if diagnostic else ""
    return f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n{said}"


def plain(text: str, head: str = "") -> Letter:
    """A report of the older form, in words alone."""
    raw = (
        f"{HEAD}{head}Subject: Mail delivery failed: returning message to sender\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    )
    return read_letter(raw.encode(), OURS, recipients=["leads@firma.example"], return_path="")


def only(letter: Letter) -> Failure:
    assert letter.kind == "bounce"
    [failure] = letter.bounced
    return failure


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        # Exim and others say 5.0.0 of whatever they gave up
        ("5.0.0", ""),
        ("5.0.0", "smtp; 550-Your message was rejected by our content filter"),
        ("5.0.0", "smtp; 554 Service currently unavailable"),
        ("5.0.0", "smtp; 550 Bad SPF records for firma.example"),
        ("5.0.0", "smtp; 554 delivery error: host is not allowed to send"),
        ("5.1.0", "smtp; 550 5.1.0 <leads@firma.example> sender rejected"),
        ("5.1.8", "smtp; 501 5.1.8 Sender address rejected: Domain not found"),
        ("5.2.0", "smtp; 550 5.2.0 Message filtered"),
        ("5.2.2", "smtp; 552 5.2.2 The email account that you tried to reach is over quota"),
        ("5.4.1", "smtp; 550 5.4.1 Recipient address rejected: Access denied"),
        (
            "5.4.4",
            "x-postfix; Name service error for name=client.example type=MX: Malformed or unexpected name server reply",
        ),
        ("5.7.1", "smtp; 550 5.7.1 Message rejected as spam by Content Filtering"),
        ("5.1.1", "smtp; 550 5.1.1 Refused due to recipient preferences"),
        ("5.1.1", "smtp; 550 5.1.1 <anna@client.example> 192.0.2.1 has sent to too many recipients this hour"),
        ("4.4.1", "x-postfix; connect to mx.client.example[192.0.2.1]:25: Connection timed out"),
        ("4.4.7", "smtp; 550 4.4.7 QUEUE.Expired; message expired"),
    ],
)
def test_C9_a_letter_that_was_given_up_for_another_reason_proves_no_address_wrong(status: str, diagnostic: str) -> None:
    failure = only(report(group(status, diagnostic)))
    assert not failure.permanent, "who is proven wrong is written to no more"
    assert not failure.still_trying, "the letter will not arrive"


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        ("5.1.1", ""),
        # Gmail's whole answer: «spaces» is no lack of space
        (
            "5.1.1",
            "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the"
            " recipient's email address for typos or 550-5.1.1 unnecessary spaces.",
        ),
        ("5.1.2", "x-unix; host unknown"),
        ("5.1.3", "smtp; 501 5.1.3 Bad recipient address syntax"),
        ("5.1.6", "smtp; 551 5.1.6 User has moved"),
        ("5.1.10", "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"),
        (
            "5.4.4",
            "x-postfix; Host or domain name not found. Name service error for name=client.example type=A: Host not found",
        ),
        (
            "5.0.0",
            "smtp; 550 Message was not accepted -- invalid mailbox.  Local mailbox anna@client.example is unavailable:"
            " user not found",
        ),
        ("5.0.0", "smtp; 550 No such user here"),
        ("5.0.0", "smtp; 550 Пользователь не найден"),
        ("5.7.1", "smtp; 550 5.7.1 No such user!"),
        ("5.2.1", "smtp; 550 5.2.1 <anna@client.example>... User Unknown"),
    ],
)
def test_C9_a_server_that_does_not_know_the_address_proves_it_wrong(status: str, diagnostic: str) -> None:
    failure = only(report(group(status, diagnostic)))
    assert failure.permanent
    assert not failure.still_trying


def test_C9_what_an_address_is_made_of_proves_nothing() -> None:
    letter = report(
        group(
            "5.2.1",
            "smtp; 550 5.2.1 <spam-filter@client.example>... User unknown",
            recipient="spam-filter@client.example",
        )
    )
    assert only(letter).permanent
    letter = report(
        group("5.0.0", "smtp; 550 <no.such@user-unknown.example> rejected", recipient="no.such@user-unknown.example")
    )
    assert not only(letter).permanent


def test_C9_a_delay_is_still_on_its_way() -> None:
    failure = only(report(group("4.4.1", "smtp; 451 4.4.1 try again", action="delayed")))
    assert (failure.permanent, failure.still_trying, failure.status) == (False, True, "4.4.1")


def test_C9_exim_gives_up_on_a_server_that_is_away_and_the_address_stays_unproven() -> None:
    failure = only(
        plain(
            "This message was created automatically by mail delivery software.\r\n\r\n"
            "A message that you sent could not be delivered to one or more of its\r\n"
            "recipients. This is a permanent error. The following address(es) failed:\r\n\r\n"
            "  anna@client.example\r\n    host mx.client.example [192.0.2.1]\r\n    retry timeout exceeded\r\n\r\n"
            f"------ This is a copy of the message, including all the headers. ------\r\n\r\n{COPY}",
            head="X-Failed-Recipients: anna@client.example\r\n",
        )
    )
    assert (failure.permanent, failure.still_trying) == (False, False)


def test_C9_mail_ru_in_words_proves_by_what_the_other_server_said() -> None:
    failure = only(
        plain(
            "Это письмо создано автоматически сервером Mail.Ru, отвечать на него не нужно.\r\n\r\n"
            "К сожалению, Ваше письмо не может быть доставлено одному или нескольким получателям:\r\n\r\n"
            "  anna@client.example\r\n    SMTP error from remote mail server after RCPT TO:<anna@client.example>:\r\n"
            "    host mx.client.example [192.0.2.222]: 550 5.1.1 <anna@client.example>... User Unknown\r\n",
            head="X-Failed-Recipients: anna@client.example\r\n",
        )
    )
    assert (failure.permanent, failure.status) == (True, "5.1.1")


@pytest.mark.parametrize(
    "groups",
    [
        # Exim on a file or a pipe of the mailbox; Gmail's and Postfix's reports that name nobody
        "Action: failed\r\nFinal-Recipient: rfc822;/var/mail/client.example/anna\r\nStatus: 5.0.0\r\n",
        "Action: failed\r\nFinal-Recipient: rfc822;|/usr/bin/filter anna@client.example /var/anna\r\nStatus: 5.0.0\r\n",
        "",
    ],
)
def test_C9_a_report_that_names_nobody_readable_takes_the_address_from_its_header(groups: str) -> None:
    letter = report(groups, "mailbox is full", head="X-Failed-Recipients: anna@client.example\r\n")
    failure = only(letter)
    assert (failure.address, failure.permanent, letter.in_reply_to) == (
        "anna@client.example",
        False,
        "ours@firma.example",
    )


def test_C9_a_report_without_any_address_is_a_bounce_all_the_same() -> None:
    letter = report("", "--- Delivery report unavailable ---")
    assert (letter.kind, letter.bounced, letter.in_reply_to) == ("bounce", [], "ours@firma.example")


def test_C9_a_receipt_is_no_bounce() -> None:
    letter = report(group("2.0.0", "smtp; 250 ok", action="delivered"))
    assert (letter.kind, letter.bounced) == ("auto_reply", [])
