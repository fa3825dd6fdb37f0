"""K5: polling a real IMAP server (Dovecot): each letter once, whatever restarts, and the mailbox stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr

from services.channels.mail import polling
from services.channels.mail.inbox import InboxError
from services.channels.mail.polling import Poller
from services.channels.mail.taking import LETTER_BYTES
from services.database import Pool
from services.settings import Mailbox, Settings
from tests.integration.dovecot import PASSWORD, USER, Dovecot, dovecot, needs_dovecot
from tests.integration.mail_case import LIMIT, Mail, letter, listening, send

pytestmark = needs_dovecot


@pytest.fixture
async def server() -> AsyncIterator[Dovecot]:
    async with dovecot() as running:
        yield running


@pytest.fixture
async def mail(settings: Settings, pool: Pool) -> Mail:
    return Mail(settings, pool)


def poller(mail: Mail, server: Dovecot, **changed: object) -> Poller:
    given = {
        "name": "leads",
        "host": "127.0.0.1",
        "port": server.port,
        "security": "none",
        "user": USER,
        "password": SecretStr(PASSWORD),
        "address": "leads@firma.example",
        "every": 0.1,
        **changed,
    }
    return Poller(Mailbox.model_validate(given), mail.post, mail.pool, mail.post.intake.clock)


async def one_look(polled: Poller) -> None:
    """One look from a process of its own, so to say."""
    stop = asyncio.Event()
    try:
        while await polled.look(stop):
            pass
    finally:
        polled.close()


@asynccontextmanager
async def polling_at_work(polled: Poller) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(polled.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, LIMIT)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(LIMIT):
        while not await condition():
            await asyncio.sleep(0.05)


def numbered(number: int, text: str = "письмо") -> bytes:
    return letter(f"{text} {number}", headers=f"Message-ID: <{number}@client.example>\r\n")


async def test_K5_new_letters_come_in_once_and_the_mailbox_stays_as_it_was(mail: Mail, server: Dovecot) -> None:
    await server.deliver(*(numbered(n) for n in range(3)))
    before = await server.flags()

    async def kept(count: int) -> bool:
        return len(await mail.kept()) == count

    async with polling_at_work(poller(mail, server)):
        await until(lambda: kept(3))
        await server.deliver(numbered(3))
        await until(lambda: kept(4))
    assert [body.text for body in await mail.bodies()] == [f"письмо {n}" for n in range(4)]
    assert (await server.flags())[:3] == before, "nothing is marked as read, nothing deleted"
    assert [account for _, account, _ in await mail.kept()] == ["leads@firma.example"] * 4


async def test_K5_a_restart_neither_loses_nor_doubles(mail: Mail, server: Dovecot, pool: Pool) -> None:
    await server.deliver(*(numbered(n) for n in range(4)), letter("без имени"))
    # a crash in the middle: the third letter's transaction does not commit
    await pool.execute(
        """CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'power cut'; END $$;
           CREATE TRIGGER fail BEFORE INSERT ON leadline.mailbox_letters FOR EACH ROW WHEN (NEW.uid = 3)
           EXECUTE FUNCTION fail()"""
    )
    with pytest.raises(Exception, match="power cut"):
        await one_look(poller(mail, server))
    assert len(await mail.kept()) == 2, "the letter goes with its note"
    await pool.execute("DROP TRIGGER fail ON leadline.mailbox_letters")
    for _ in range(2):
        await one_look(poller(mail, server))
    assert [body.text for body in await mail.bodies()] == [*(f"письмо {n}" for n in range(4)), "без имени"]


async def test_K5_letters_numbered_anew_are_known_again(mail: Mail, server: Dovecot, pool: Pool) -> None:
    await server.deliver(*(numbered(n) for n in range(3)))
    await one_look(poller(mail, server))
    server.stop()
    server.forget_uids()
    await server.start()
    await server.deliver(numbered(3))
    await one_look(poller(mail, server))
    assert len(await mail.kept()) == 4
    rows = await pool.fetch("SELECT uid_validity, outcome FROM leadline.mailbox_letters ORDER BY at, uid")
    assert [row["outcome"] for row in rows] == ["kept"] * 3 + ["repeated"] * 3 + ["kept"]
    assert len({row["uid_validity"] for row in rows}) == 2


async def test_K5_a_letter_that_came_by_smtp_too_is_one(mail: Mail, server: Dovecot) -> None:
    raw = numbered(1)
    async with listening(mail) as listener:
        assert (await send(listener, raw))[0] == 250
    await server.deliver(b"Return-Path: <anna@client.example>\r\nReceived: from x by y\r\n" + raw)
    await one_look(poller(mail, server))
    assert len(await mail.kept()) == 1


async def test_K5_take_new_leaves_old_letters_alone(mail: Mail, server: Dovecot) -> None:
    await server.deliver(numbered(0, "старое"))
    await one_look(poller(mail, server, take="new"))
    assert await mail.kept() == []
    await server.deliver(numbered(1, "новое"))
    await one_look(poller(mail, server, take="new"))
    assert [body.text for body in await mail.bodies()] == ["новое 1"]


async def test_K5_take_new_of_an_empty_mailbox_takes_the_first_letter(mail: Mail, server: Dovecot) -> None:
    await one_look(poller(mail, server, take="new"))
    await server.deliver(numbered(1, "новое"))
    await one_look(poller(mail, server, take="new"))
    assert len(await mail.kept()) == 1


async def test_K5_a_server_away_is_tried_again_and_stands_on_the_operations_page(
    mail: Mail, server: Dovecot, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.2)

    async def notices() -> int:
        found: int = await pool.fetchval("SELECT count(*) FROM leadline.notices WHERE cleared_at IS NULL")
        return found

    async def told() -> bool:
        return await notices() == 1

    async def cleared() -> bool:
        return await notices() == 0

    async def kept() -> bool:
        return len(await mail.kept()) == 1

    async with polling_at_work(poller(mail, server)):
        await until(cleared)
        server.stop()
        await until(told)
        detail = await pool.fetchval("SELECT detail FROM leadline.notices")
        assert PASSWORD not in detail
        await server.start()
        await until(cleared)
        await server.deliver(numbered(1))
        await until(kept)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "wrong"}, "user or the password"),
        ({"folder": "Нет такой"}, "no folder"),
        ({"security": "tls"}, "connection"),
    ],
)
async def test_K5_a_wrong_setting_is_named(mail: Mail, server: Dovecot, changed: dict[str, object], said: str) -> None:
    with pytest.raises(InboxError, match=said):
        await one_look(poller(mail, server, **changed))


async def test_K5_a_letter_above_the_limit_comes_in_as_its_header(mail: Mail, server: Dovecot) -> None:
    await server.deliver(numbered(1) + (b"z" * 998 + b"\r\n") * (LETTER_BYTES // 1000 + 1), numbered(2))
    await one_look(poller(mail, server))
    large, small = await mail.bodies()
    assert (large.sender, large.subject, large.text) == ("anna@client.example", "Заявка", "")
    assert "larger than 30 MB" in large.defects[0]
    assert small.text == "письмо 2"


async def test_K5_a_letter_the_server_will_not_give_is_told_and_the_others_flow_on(
    mail: Mail, server: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.deliver(numbered(1), numbered(2))
    polled = poller(mail, server)
    fetch = polled._inbox.letter

    def damaged(uid: int, most: int) -> tuple[bytes, bool] | None:
        if uid == 1:
            raise InboxError("the server answered NO", gone=False)
        return fetch(uid, most)

    monkeypatch.setattr(polled._inbox, "letter", damaged)
    for _ in range(polling.TRIES - 1):
        with pytest.raises(InboxError):
            await polled.look(asyncio.Event())
    await one_look(polled)
    (_, _, first), (_, _, second) = await mail.kept()
    assert "sender" not in first, "it waits in quarantine"
    assert "UID 1" in first["defects"][-1]
    assert second["text"] == "письмо 2"
