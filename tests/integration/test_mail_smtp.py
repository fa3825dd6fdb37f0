"""K5: the SMTP listener on a real Postgres, spoken to by real clients: kept before 250, once, and never an open relay."""

from __future__ import annotations

import asyncio
import smtplib
import socket
from email.message import EmailMessage
from uuid import UUID

import aiosmtplib
import pytest

import services.web.app
from contracts.inbound import REFERENCE_TYPE, MailBody
from services.channels.mail.taking import LETTER_BYTES
from services.database import Pool
from services.health import Health
from services.privacy.store import KeyRing, destroy_keys, link_messages
from services.settings import Settings
from tests.beside_others import free_port
from tests.integration.mail_case import CLIENTS, LIMIT, OWN_DOMAIN, Mail, letter, listening, send


@pytest.fixture
async def mail(settings: Settings, pool: Pool) -> Mail:
    return Mail(settings, pool)


async def test_K5_accepted_means_kept_with_its_original_and_on_its_way(mail: Mail, pool: Pool) -> None:
    raw = letter("Нужна кухня\n.точка в начале строки\n..и две", headers="Message-ID: <1@client.example>\r\n")
    async with listening(mail) as listener:
        code, said = await send(listener, raw)
    assert code == 250, said
    [(inbound_id, account, stored)] = await mail.kept()
    assert str(inbound_id) in said
    assert account == "leads@firma.example"
    body = MailBody.model_validate(stored)
    assert (body.sender, body.sender_name, body.message_id) == ("anna@client.example", "Anna", "1@client.example")
    assert body.text == "Нужна кухня\n.точка в начале строки\n..и две"
    assert body.raw_blob is not None
    assert body.raw_size == len(raw)
    assert await mail.blob(inbound_id, body.raw_blob) == raw
    sent = await pool.fetchrow(
        "SELECT topic, headers::text AS headers FROM leadline.outbox WHERE stream = $1", inbound_id
    )
    assert sent["topic"] == "leads.inbound"
    assert REFERENCE_TYPE in sent["headers"]


async def test_K5_attachments_are_kept_in_pieces_and_come_back_whole(mail: Mail, pool: Pool) -> None:
    plan = bytes(range(256)) * 10_000  # 2.5 MB: three pieces
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Анна <anna@client.example>", "leads@firma.example", "План"
    made.set_content("во вложении")
    made.add_attachment(plan, maintype="application", subtype="pdf", filename="план кухни.pdf")
    made.add_attachment(b"", maintype="application", subtype="octet-stream", filename="пусто.bin")
    async with listening(mail) as listener:
        answer = await aiosmtplib.send(made, hostname="127.0.0.1", port=listener.port, start_tls=False)
    assert "Kept as" in answer[1]
    [(inbound_id, _, stored)] = await mail.kept()
    body = MailBody.model_validate(stored)
    assert [(file.name, file.media_type, file.size) for file in body.attachments] == [
        ("план кухни.pdf", "application/pdf", len(plan)),
        ("пусто.bin", "application/octet-stream", 0),
    ]
    assert await mail.blob(inbound_id, body.attachments[0].blob) == plan
    assert await mail.blob(inbound_id, body.attachments[1].blob) == b""
    pieces = await pool.fetchval("SELECT count(*) FROM leadline.blob_pieces WHERE blob = $1", body.attachments[0].blob)
    assert pieces == 3


async def test_M7_erasing_the_person_makes_letter_and_attachments_unreadable(mail: Mail, pool: Pool) -> None:
    made = EmailMessage()
    made["From"], made["To"] = "anna@client.example", "leads@firma.example"
    made.set_content("Секретов Иван")
    made.add_attachment(
        b"passport of Sekretov", maintype="application", subtype="pdf", filename="passport-sekretov.pdf"
    )
    async with listening(mail) as listener:
        await aiosmtplib.send(made, hostname="127.0.0.1", port=listener.port, start_tls=False)
    [(inbound_id, _, _)] = await mail.kept()
    for table in ("intake", "outbox", "blobs", "blob_pieces"):
        for row in await pool.fetch(f"SELECT t::text FROM leadline.{table} AS t"):
            for secret in ("ekretov", "Секретов", "anna@"):
                assert secret not in row[0], table
                assert secret.encode().hex() not in row[0], table
    person = UUID(int=7)
    async with pool.acquire() as connection:
        await link_messages(connection, [(inbound_id, person)])
        await destroy_keys(connection, person)
    assert await mail.kept() == []
    ring = KeyRing(mail.settings.master_key_bytes)
    await ring.load(pool, [inbound_id])
    assert ring.key(inbound_id) is None, "no key, so no blob of it opens"


async def test_K5_nothing_of_a_letter_is_kept_when_its_blob_cannot_be(mail: Mail, pool: Pool) -> None:
    await pool.execute("ALTER TABLE leadline.blob_pieces ADD CHECK (octet_length(ciphertext) < 10)")
    async with listening(mail) as listener:
        code, _ = await send(listener, letter())
    assert code == 451, "the sender keeps it and comes again"
    for table in ("leadline.intake", "leadline.outbox", "leadline.blobs", "vault.keys"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_K5_the_store_away_is_451_and_the_letter_is_kept_when_it_comes_again(mail: Mail, pool: Pool) -> None:
    raw = letter(headers="Message-ID: <2@client.example>\r\n")
    async with listening(mail) as listener:
        await pool.execute("ALTER TABLE leadline.intake RENAME TO intake_away")
        assert (await send(listener, raw))[0] == 451
        await pool.execute("ALTER TABLE leadline.intake_away RENAME TO intake")
        assert (await send(listener, raw))[0] == 250
    assert len(await mail.kept()) == 1


async def test_K5_the_same_letter_again_is_a_repeat_also_over_another_way_and_by_cc(mail: Mail) -> None:
    both = letter(headers="Cc: info@firma.example\r\nMessage-ID: <3@client.example>\r\n")
    async with listening(mail) as listener:
        one = await send(listener, both, to=["leads@firma.example", "info@firma.example"])
        apart = await send(listener, b"Received: from a by b\r\n" + both, to=["info@firma.example"])
        bare = await send(listener, b"Received: from a by c\r\nReturn-Path: <x@y.example>\r\n" + both)
        assert one == apart == bare
        other_text = await send(listener, both.replace("кухня".encode(), "дверь".encode()))
        assert other_text[1] != one[1]
        without_id = [await send(listener, letter("без имени")) for _ in range(2)]
        assert without_id[0] == without_id[1], "the very same bytes"
    assert len(await mail.kept()) == 3


async def test_K5_letters_at_the_same_moment_are_kept_once_each(mail: Mail) -> None:
    async with listening(mail) as listener:
        sending = [
            send(listener, letter(f"номер {number}", headers=f"Message-ID: <{number}@client.example>\r\n"))
            for number in range(8)
            for _ in range(2)
        ]
        answers = await asyncio.gather(*sending)
    assert {code for code, _ in answers} == {250}
    assert sorted(body.text for body in await mail.bodies()) == [f"номер {number}" for number in range(8)]


@pytest.mark.parametrize(
    "recipient", ["someone@elsewhere.example", "leads@firma.example.evil.example", "leads%x@relay"]
)
async def test_K5_it_is_no_open_relay(mail: Mail, recipient: str) -> None:
    async with listening(mail) as listener:
        assert (await send(listener, letter(), to=[recipient]))[0] == 550
    assert await mail.kept() == []


async def test_K5_plus_addresses_and_whole_domains_are_ours(mail: Mail) -> None:
    async with listening(mail) as listener:
        assert (await send(listener, letter("a"), to=["LEADS+T-42@Firma.example"]))[0] == 250
        assert (await send(listener, letter("b"), to=["anyone@sales.example"]))[0] == 250
    assert [body.recipients for body in await mail.bodies()] == [["LEADS+T-42@firma.example"], ["anyone@sales.example"]]


async def test_K5_too_large_is_552_by_the_size_named_and_by_the_size_sent(mail: Mail) -> None:
    async with listening(mail) as listener:
        huge = letter("x" * 78 + "\n") + b"y" * (LETTER_BYTES + 1) + b"\r\n"
        assert (await send(listener, huge))[0] == 552

        def unannounced() -> list[int]:
            with smtplib.SMTP("127.0.0.1", listener.port, timeout=LIMIT) as client:
                client.helo("x")
                client.mail("anna@client.example")
                client.rcpt("leads@firma.example")
                first = client.data(huge)[0]
                client.mail("anna@client.example")
                client.rcpt("leads@firma.example")
                return [first, client.data(letter())[0]]

        assert await asyncio.get_running_loop().run_in_executor(CLIENTS, unannounced) == [552, 250], (
            "the connection goes on"
        )
        assert listener.budget.used == 0
    assert len(await mail.kept()) == 1


async def test_K5_a_letter_of_almost_the_limit_is_kept(mail: Mail) -> None:
    raw = letter() + (b"z" * 998 + b"\r\n") * (29 * 1024)
    async with listening(mail) as listener:
        assert (await send(listener, raw))[0] == 250
    [(inbound_id, _, stored)] = await mail.kept()
    assert await mail.blob(inbound_id, UUID(stored["raw_blob"])) == raw


async def test_K5_lines_without_end_are_taken(mail: Mail) -> None:
    async with listening(mail) as listener:
        assert (await send(listener, letter("длинно" * 50_000)))[0] == 250
    [body] = await mail.bodies()
    assert body.text.endswith("[…]")


async def test_K5_too_many_letters_of_one_peer_wait(mail: Mail) -> None:
    async with listening(mail, per_minute=2) as listener:
        codes = [(await send(listener, letter(f"{number}")))[0] for number in range(3)]
    assert codes == [250, 250, 450]


async def test_K5_more_letters_than_memory_holds_wait(mail: Mail) -> None:
    async with listening(mail) as listener:
        listener.budget.most = 2_000
        assert (await send(listener, letter("x" * 3_000)))[0] == 452
        assert (await send(listener, letter("small")))[0] == 250
        assert listener.budget.used == 0


async def test_K5_our_own_letters_coming_back_are_refused(mail: Mail) -> None:
    async with listening(mail) as listener:
        assert (await send(listener, letter(headers=f"Message-ID: <x@{OWN_DOMAIN}>\r\n")))[0] == 554
        assert (await send(listener, letter(headers="Received: from a by b\r\n" * 60)))[0] == 554
    assert await mail.kept() == []


async def test_K5_a_bounce_with_the_null_sender_is_taken(mail: Mail) -> None:
    raw = letter("<gone@client.example>: 550 5.1.1 no such user", subject="Undelivered Mail Returned to Sender")
    async with listening(mail) as listener:
        assert (await send(listener, raw, sender=""))[0] == 250
    [body] = await mail.bodies()
    assert body.kind == "bounce"
    assert [(b.address, b.status, b.permanent) for b in body.bounced] == [("gone@client.example", "5.1.1", True)]


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"no header at all\r\n", b"\x00\xff\xfe garbage \r\n\x80\x81", b"From:\r\n\r\n"]
)
async def test_K5_what_cannot_be_understood_is_kept_with_its_original(mail: Mail, raw: bytes) -> None:
    async with listening(mail) as listener:
        code, said = await send(listener, raw, sender="")
    assert code == 250, said
    [(inbound_id, _, stored)] = await mail.kept()
    assert "sender" not in stored, "it does not fit, so it waits in quarantine"
    assert stored["defects"]
    assert (await mail.blob(inbound_id, UUID(stored["raw_blob"]))).rstrip(b"\r\n") == raw.rstrip(b"\r\n")


async def talk(listener_port: int, sent: bytes) -> bytes:
    """Everything the listener says to bytes sent at once, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener_port)
    writer.write(sent)
    await writer.drain()
    async with asyncio.timeout(LIMIT):
        said = await reader.read(-1)
    writer.close()
    return said


async def test_K5_commands_and_letters_sent_ahead_are_taken_in_order(mail: Mail) -> None:
    one = b"MAIL FROM:<a@client.example>\r\nRCPT TO:<leads@firma.example>\r\nDATA\r\nFrom: a@client.example\r\n\r\n%b\r\n.\r\n"
    async with listening(mail) as listener:
        said = await talk(listener.port, b"EHLO x\r\n" + one % b"first" + one % b"second" + b"QUIT\r\n")
    codes = [line[:3] for line in said.split(b"\r\n") if line[3:4] == b" "]
    assert codes == [b"220", b"250", *[b"250", b"250", b"354", b"250"] * 2, b"221"]
    assert b"PIPELINING" in said
    assert b"SMTPUTF8" in said
    assert f"SIZE {LETTER_BYTES}".encode() in said
    assert [body.text for body in await mail.bodies()] == ["first", "second"]


async def test_K5_only_crlf_dot_crlf_ends_a_letter(mail: Mail) -> None:
    """One letter must not smuggle in another behind a bare line feed."""
    smuggled = b"\n.\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<leads@firma.example>\r\nDATA\r\n"
    sent = (
        b"EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<leads@firma.example>\r\nDATA\r\nFrom: a@client.example\r\n\r\none"
        + smuggled
        + b"two\r\n.\r\nQUIT\r\n"
    )
    async with listening(mail) as listener:
        await talk(listener.port, sent)
    [body] = await mail.bodies()
    assert "MAIL FROM:<evil@client.example>" in body.text


async def test_K5_letters_in_utf8_addresses_are_taken(mail: Mail) -> None:
    raw = letter().replace(b"Anna <anna@client.example>", "Анна <анна@почта.example>".encode())
    async with listening(mail) as listener:
        said = await talk(
            listener.port,
            "EHLO x\r\nMAIL FROM:<анна@почта.example> SMTPUTF8 BODY=8BITMIME\r\n".encode()
            + b"RCPT TO:<leads@firma.example>\r\nDATA\r\n"
            + raw
            + b".\r\nQUIT\r\n",
        )
    assert b"250 2.0.0" in said
    [body] = await mail.bodies()
    assert (body.sender, body.sender_name) == ("анна@почта.example", "Анна")


async def test_K5_a_connection_that_ends_inside_a_letter_leaves_nothing(mail: Mail, pool: Pool) -> None:
    async with listening(mail) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(
            b"EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<leads@firma.example>\r\nDATA\r\nhalf a letter"
        )
        await writer.drain()
        async with asyncio.timeout(LIMIT):
            await reader.readuntil(b"354")
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.close()
        async with asyncio.timeout(LIMIT):
            while listener.conversations:
                await asyncio.sleep(0.01)
        assert listener.budget.used == 0
        assert (await send(listener, letter()))[0] == 250
    assert len(await mail.kept()) == 1


async def test_K5_a_letter_being_stored_at_a_stop_gets_its_answer(mail: Mail, pool: Pool) -> None:
    async with pool.acquire() as holding:
        transaction = holding.transaction()
        await transaction.start()
        await holding.execute("LOCK TABLE leadline.intake IN ACCESS EXCLUSIVE MODE")
        async with listening(mail) as listener:
            sending = asyncio.create_task(send(listener, letter()))
            async with asyncio.timeout(LIMIT):
                while not any(listener.is_storing(each) for each in listener.conversations):
                    await asyncio.sleep(0.01)
            asyncio.get_running_loop().call_later(
                0.3, lambda: freeing.append(asyncio.create_task(transaction.rollback()))
            )
            freeing: list[asyncio.Task[None]] = []
        assert (await sending)[0] == 250
        await asyncio.gather(*freeing)
    assert len(await mail.kept()) == 1


async def test_K5_the_door_takes_mail_where_a_port_is_set_and_stops_in_order(settings: Settings, pool: Pool) -> None:
    port = free_port()
    given = settings.model_copy(update={"smtp_port": port, "mail_addresses": ["@firma.example"]})
    health, stop = Health("door"), asyncio.Event()
    door = asyncio.create_task(services.web.app.run(given, health, stop))
    try:
        async with asyncio.timeout(LIMIT):
            while not health.is_ready():
                if door.done():
                    door.result()
                await asyncio.sleep(0.02)
        assert "smtp" in health.parts
        made = EmailMessage()
        made["From"], made["To"] = "anna@client.example", "leads@firma.example"
        made.set_content("через дверь")
        assert "Kept as" in (await aiosmtplib.send(made, hostname="127.0.0.1", port=port, start_tls=False))[1]
    finally:
        stop.set()
        await asyncio.wait_for(door, LIMIT)
    assert [body.text for body in await Mail(settings, pool).bodies()] == ["через дверь"]
    with pytest.raises(OSError, match=r"refused|Connect"):
        await aiosmtplib.send(made, hostname="127.0.0.1", port=port, start_tls=False)


async def test_K5_a_taken_port_ends_the_start_and_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = settings.model_copy(update={"smtp_port": port, "mail_addresses": ["@firma.example"]})
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            await asyncio.wait_for(services.web.app.run(given, Health("door"), asyncio.Event()), LIMIT)


async def test_K5_a_stop_ends_idle_connections_with_421(mail: Mail) -> None:
    async with listening(mail) as listener:
        reader, _ = await asyncio.open_connection("127.0.0.1", listener.port)
        async with asyncio.timeout(LIMIT):
            await reader.readuntil(b"\r\n")
        said = asyncio.create_task(reader.read(-1))
    async with asyncio.timeout(LIMIT):
        assert b"421" in await said
