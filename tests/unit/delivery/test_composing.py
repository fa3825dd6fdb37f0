"""R3: a letter as bytes: what a mail program reads back, the same at every try, and nothing typed becomes a header."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.channels.mail.reading import kinds
from services.channels.mail.reading.company import Company
from services.channels.mail.reading.letter import read_letter
from services.channels.mail.reading.mime import read_parts
from services.delivery.mail.composing import NAME_CHARS, SUBJECT_CHARS, UnsendableError, compose, one_line, with_token
from services.delivery.mail.unsubscribing import way_out
from services.delivery.port import Letter
from services.privacy.unsubscribing import read_token
from services.ways_out import OutgoingMail

LEAD = UUID("019adf1e-4a00-7000-8000-000000000001")
MAIL = OutgoingMail(
    host="mail.example.org",
    from_address="school@firma.example",
    from_name="Школа «Окно»",
    reply_address="leads@firma.example",
    bounce_address="bounce@firma.example",
)
LETTER = Letter(
    effect=UUID(int=7),
    message_id="<019adf1e-4a00-7000-8000-0000000000ee@id.firma.example>",
    to="anna@client.example",
    to_name="Каренина, Анна",
    subject="Пробное занятие в среду",
    text="Здравствуйте!\n\n.Ждём вас.\nFrom нас",
    html="<p>Здравствуйте!</p>",
    thread=str(LEAD),
    unsubscribe="https://leads.firma.example/unsubscribe/abc-_1",
    written_at=datetime(2026, 11, 26, 12, 0, tzinfo=timezone(timedelta(hours=3))),
)
PEPPER = b"p" * 32
OWN = {
    "From", "To", "Subject", "Date", "Message-ID", "Reply-To", "Auto-Submitted", "List-Unsubscribe",
    "List-Unsubscribe-Post", "MIME-Version", "Content-Type",
}  # fmt: skip
typed = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(["\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\u2028", " ", "Bcc: x@y.example", "=?utf-8?B?QQ==?=",
                         '"', "\\", "<", ">", ",", ";", "(", "@", ".", "é", "🙂", "\ud800", "слово", "a" * 80]),
        max_size=30,
    ).map("".join),
)  # fmt: skip


def read(raw: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(raw, policy=policy.default))


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_R3_a_mail_program_reads_what_was_meant() -> None:
    written = compose(LETTER, MAIL)
    message = read(written.raw)
    assert set(message.keys()) == OWN
    assert len(message.keys()) == len(OWN), "each once"
    [sender] = message["from"].addresses
    [to] = message["to"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Школа «Окно»", "school@firma.example")
    assert (to.display_name, to.addr_spec) == ("Каренина, Анна", "anna@client.example")
    assert message["subject"] == "Пробное занятие в среду"
    assert message["date"].datetime == LETTER.written_at
    assert message["message-id"] == LETTER.message_id
    assert message["reply-to"] == f"leads+{LEAD}@firma.example"
    assert message["auto-submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"], "the best last"
    assert part(message, "plain") == LETTER.text + "\n"
    assert part(message, "html") == "<p>Здравствуйте!</p>\n"
    assert not message.defects
    assert (written.sender, written.recipient) == (f"bounce+{LEAD}@firma.example", "anna@client.example")
    assert not written.needs_utf8
    strict = compose(LETTER, MAIL.model_copy(update={"envelope_token": False}))
    assert (strict.sender, strict.raw) == ("bounce@firma.example", written.raw)


def test_R3_a_plain_letter_without_a_conversation_has_only_what_it_needs() -> None:
    bare = replace(LETTER, html=None, thread=None, unsubscribe=None, to_name=None)
    written = compose(bare, MAIL)
    message = read(written.raw)
    assert message.get_content_type() == "text/plain"
    assert set(message.keys()) == OWN - {"List-Unsubscribe", "List-Unsubscribe-Post"} | {"Content-Transfer-Encoding"}
    assert message["reply-to"] == "leads@firma.example"
    assert written.sender == "bounce@firma.example"
    plain = OutgoingMail(host="mail.example.org", from_address="school@firma.example")
    assert read(compose(bare, plain).raw)["reply-to"] is None, "From says it"
    assert read(compose(bare, plain).raw)["from"] == "school@firma.example"


def test_R3_the_same_letter_gives_the_same_bytes() -> None:
    assert compose(LETTER, MAIL).raw == compose(LETTER, MAIL).raw
    later = replace(LETTER, written_at=cast(datetime, LETTER.written_at).astimezone(UTC))
    assert compose(later, MAIL).raw == compose(LETTER, MAIL).raw, "wherever it is written"
    assert b"_leadline_" in compose(LETTER, MAIL).raw
    assert compose(replace(LETTER, effect=UUID(int=8)), MAIL).raw != compose(LETTER, MAIL).raw


def test_R3_text_cannot_end_its_part() -> None:
    boundary = f"--=_leadline_{LETTER.effect.hex}"
    nasty = f"до\n{boundary}\nContent-Type: text/html\n\n<b>x</b>\n{boundary}--\n"
    for text in (nasty, nasty.replace("до", "до" * 500)):  # quoted-printable, base64
        message = read(compose(replace(LETTER, text=text, html=text), MAIL).raw)
        assert part(message, "plain") == text
        assert part(message, "html") == text
        assert len(list(message.iter_parts())) == 2


@given(subject=typed, name=typed, sender=typed)
def test_R3_nothing_typed_begins_a_header(subject: str, name: str, sender: str) -> None:
    mail = MAIL.model_copy(update={"from_name": sender})
    raw = compose(replace(LETTER, subject=subject, to_name=name), mail).raw
    head, _, _ = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert all(b"\r" not in line and b"\n" not in line for line in lines)
    assert head.isascii()
    assert max(map(len, lines)) <= 200, "the longest is the letter that unsubscribes; the limit is 998"
    names = [line.partition(b":")[0].decode() for line in lines if not line.startswith(b" ")]
    assert sorted(names) == sorted(OWN)
    assert all(line.strip() for line in lines), "no line of spaces alone: some readers end the header there"
    root, _ = read_parts(raw)
    read_back = read_letter(raw, Company.of([]))
    assert read_back.subject == one_line(subject, SUBJECT_CHARS)[:998].strip()
    assert read_back.sender == "school@firma.example"
    assert (read_back.sender_name or "") == one_line(sender, NAME_CHARS).strip('"').strip() or '"' in sender
    assert read_back.to == ["anna@client.example"]
    assert [name for name, _ in root.fields] == [name.lower() for name in names]
    message = read(raw)
    assert [a.addr_spec for a in message["to"].addresses] == ["anna@client.example"]
    assert [a.addr_spec for a in message["from"].addresses] == ["school@firma.example"]


@given(name=typed)
def test_R3_a_name_is_read_back_as_it_was_typed(name: str) -> None:
    raw = compose(replace(LETTER, to_name=name), MAIL).raw
    value = raw.partition(b"\r\nTo: ")[2].partition(b"\r\nSubject")[0].decode().replace("\r\n", "")
    # Python 3.11's newer parser puts a space between encoded words of a name; RFC 2047 6.2 says there is none
    phrase, address = parseaddr(value)
    assert address == "anna@client.example"
    assert str(make_header(decode_header(phrase))) == one_line(name, NAME_CHARS)


@given(text=typed, html=typed)
def test_R3_texts_are_read_back_as_they_were_typed(text: str, html: str) -> None:
    def shown(given: str) -> str:
        kept = "".join(c for c in given if c in "\t\r\n" or (c >= " " and c != "\x7f"))
        return kept.replace("\ud800", "?").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")

    raw = compose(replace(LETTER, text=text, html=html), MAIL).raw
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 200
    message = read(raw)
    assert part(message, "plain").rstrip("\n") == shown(text)
    assert part(message, "html").rstrip("\n") == shown(html)


@given(to=typed.map(lambda text: f"{text}@client.example"))
def test_R3_no_address_says_more_than_an_address(to: str) -> None:
    try:
        written = compose(replace(LETTER, to=to), MAIL)
    except UnsendableError:
        return
    assert not any(c in written.recipient for c in "\r\n\x00<>") or written.recipient.startswith('"')
    assert written.needs_utf8 is not written.recipient.isascii()
    head = written.raw.partition(b"\r\n\r\n")[0].decode()
    assert head.count("\r\nTo: ") == 1
    assert f"<{written.recipient}>\r\n" in head


@pytest.mark.parametrize(
    ("given_address", "on_the_envelope", "utf8"),
    [
        ("Anna@Client.Example", "Anna@client.example", False),
        ("anna@клиент.рф", "anna@xn--e1affem4a.xn--p1ai", False),
        ("анна@клиент.рф", "анна@xn--e1affem4a.xn--p1ai", True),
        ('"anna karenina"@client.example', '"anna karenina"@client.example', False),
        ('"a\\"b"@client.example', '"a\\"b"@client.example', False),
        ('"anna"@client.example', "anna@client.example", False),
        ("o'neil+tag@client.example", "o'neil+tag@client.example", False),
    ],
)
def test_R3_every_form_of_address_is_written(given_address: str, on_the_envelope: str, utf8: bool) -> None:
    written = compose(replace(LETTER, to=given_address), MAIL)
    assert (written.recipient, written.needs_utf8) == (on_the_envelope, utf8)
    assert f" <{on_the_envelope}>\r\n".encode() in written.raw


@pytest.mark.parametrize(
    "to", ["", "anna", "@client.example", "anna@", "a b@client.example", "x@[10.0.0.1]", "a" * 65 + "@b.example"]
)
def test_R3_what_is_no_address_is_no_letter(to: str) -> None:
    with pytest.raises(UnsendableError, match=r"^address_unusable$"):
        compose(replace(LETTER, to=to), MAIL)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"message_id": "no-brackets@id.example"}, "message_id_unusable"),
        ({"message_id": "<a@b>\r\nBcc: <x@y.example>"}, "message_id_unusable"),
        ({"thread": "a\r\nb"}, "thread_unusable"),
        ({"thread": "x" * 100}, "thread_unusable"),
        ({"thread": ""}, "thread_unusable"),
        ({"unsubscribe": "https://x.example/a>,<mailto:x@y.example"}, "unsubscribe_unusable"),
        ({"unsubscribe": "javascript:alert(1)"}, "unsubscribe_unusable"),
        ({"unsubscribe": "https://x.example/a\r\nBcc: x@y.example"}, "unsubscribe_unusable"),
    ],
)
def test_R3_what_we_ourselves_give_wrongly_is_told_by_a_code(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(UnsendableError, match=rf"^{code}$"):
        compose(replace(LETTER, **changed), MAIL)


@pytest.mark.parametrize(
    "subject", ["word " * 1_000, "x" * 5_000, "длинно" * 1_000, "=?utf-8?Q?a?=", "a" * 67 + " b", ""]
)
def test_R3_a_subject_of_any_length_is_folded(subject: str) -> None:
    raw = compose(replace(LETTER, subject=subject), MAIL).raw
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= 76 for line in head if b"unsubscribe" not in line and b"@" not in line)
    wanted = subject.strip() if len(subject.strip()) <= SUBJECT_CHARS else subject[: SUBJECT_CHARS - 1] + "…"
    assert read(raw)["subject"] == wanted


def test_R3_C7_a_marketing_letter_can_be_ended_by_one_click_or_by_a_letter() -> None:
    head = compose(LETTER, MAIL).raw.partition(b"\r\n\r\n")[0].decode()
    assert (
        "\r\nList-Unsubscribe: <https://leads.firma.example/unsubscribe/abc-_1>,\r\n"
        f" <mailto:leads+{LEAD}@firma.example?subject=unsubscribe>\r\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    ) in head
    local = compose(replace(LETTER, unsubscribe="http://127.0.0.1:8080/unsubscribe/x"), MAIL).raw
    assert b"List-Unsubscribe: <http://127.0.0.1" in local
    assert b"List-Unsubscribe-Post" not in local, "RFC 8058 promises one click of https only"


def test_R3_C7_the_way_out_names_the_lead_and_not_the_person() -> None:
    link = way_out(MAIL, "https://leads.firma.example", PEPPER, lead=LEAD, thread=str(LEAD))
    found = read_token(PEPPER, link.removeprefix("https://leads.firma.example/unsubscribe/"))
    assert found is not None
    assert (found.lead, found.channel) == (LEAD, "email")
    assert compose(replace(LETTER, unsubscribe=link), MAIL).raw.count(link.encode()) == 1
    by_letter = way_out(MAIL, None, PEPPER, lead=LEAD, thread=str(LEAD))
    assert by_letter == f"mailto:leads+{LEAD}@firma.example?subject=unsubscribe"
    head = compose(replace(LETTER, unsubscribe=by_letter), MAIL).raw.partition(b"\r\n\r\n")[0].decode()
    assert f"\r\nList-Unsubscribe: <{by_letter}>\r\n" in head + "\r\n"
    assert "One-Click" not in head


def test_R3_our_letter_is_no_answer_of_a_machine_to_our_own_door() -> None:
    """RFC 3834: `auto-generated` says that nobody shall answer by machine, and not that it is an answer."""
    root, _ = read_parts(compose(LETTER, MAIL).raw)
    assert not kinds.is_auto_reply(root, LETTER.subject, None, answers=False)
    loop = kinds.loop_of(root, "id.firma.example")
    assert loop == "its Message-ID is ours"


def test_R3_a_token_has_room_in_an_address() -> None:
    longest = "a" * 27
    mail = OutgoingMail(host="mail.example.org", from_address=f"{longest}@firma.example")
    assert len(with_token(mail.answers_to, str(LEAD)).rpartition("@")[0]) == 64
    with pytest.raises(ValueError, match="at most 27 characters"):
        OutgoingMail(host="mail.example.org", from_address=f"{longest}a@firma.example")
