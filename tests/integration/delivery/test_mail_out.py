"""R3: letters out over real SMTP: every way it can end is told apart, and the doubtful one is exactly the doubtful one."""

from __future__ import annotations

import asyncio
import socket

import psutil
import pytest
import uvloop

from services.delivery.mail.composing import compose
from services.delivery.port import Done, Later, Refused
from services.ways_out import OutgoingMail
from tests.beside_others import room
from tests.integration.delivery.mail_out_case import LEAD, a_letter, adapter, limits, mail_out, sent
from tests.integration.delivery.strict_smtp import DROP, STALL, Script, strict


async def test_R3_sent_means_that_the_next_server_took_these_bytes() -> None:
    async with strict() as server:
        outcome = await sent(server.port, a_letter(html="<p>Здравствуйте</p>"))
    assert outcome == Done("4FzX9q1Z2Yz")
    written = compose(a_letter(html="<p>Здравствуйте</p>"), mail_out())
    assert server.letters == [written.raw]
    assert server.commands[0] == "EHLO firma.example", "not this machine's name"
    assert f"MAIL FROM:<leads+{LEAD}@firma.example> SIZE={len(written.raw)}" in server.commands
    assert "RCPT TO:<anna@client.example>" in server.commands
    assert server.commands[-1] == "QUIT"


async def test_R3_a_line_that_begins_with_a_dot_does_not_end_the_letter() -> None:
    dots = a_letter(text=".\n.one\n..two\n\n.\nafter\n", html="<p>\n.\n</p>")
    async with strict() as server:
        assert await sent(server.port, dots) == Done("4FzX9q1Z2Yz")
    written = compose(dots, mail_out()).raw
    assert b"\r\n.\r\n" in written
    assert server.letters == [written]


@pytest.mark.parametrize(
    ("step", "answer", "wanted"),
    [
        ("RCPT", "550 5.1.1 <anna@client.example>: no such user", Refused("recipient_refused: 550 5.1.1")),
        ("RCPT", "553 anna@client.example is unknown", Refused("recipient_refused: 553")),
        ("MAIL", "553 5.7.1 not owned by user", Refused("sender_refused: 553 5.7.1")),
        ("DATA", "554 5.5.1 no valid recipients", Refused("letter_refused: 554 5.5.1")),
        ("END", "554 5.7.1 spam from anna@client.example", Refused("letter_refused: 554 5.7.1")),
        ("MAIL", "451 4.3.0 try again", Later("sender_later: 451 4.3.0")),
        ("RCPT", "450 4.2.0 Greylisted, retry in 300 seconds", Later("recipient_later: 450 4.2.0", after=300.0)),
        ("DATA", "451 4.3.0 queue file write error", Later("letter_later: 451 4.3.0")),
        ("END", "452 4.3.1 no space", Later("letter_later: 452 4.3.1")),
        ("MAIL", "530 5.7.0 authentication required", Later("auth_refused: 530 5.7.0", whole_provider=True)),
        ("MAIL", "421 4.7.0 too many", Later("server_closing: 421 4.7.0", whole_provider=True)),
        ("RCPT", "421 4.7.0 too many", Later("server_closing: 421 4.7.0", whole_provider=True)),
        ("DATA", "421 bye", Later("server_closing: 421", whole_provider=True)),
        ("END", "421 4.3.2 shutting down", Later("server_closing: 421 4.3.2", whole_provider=True)),
        ("greeting", "554 no service", Later("greeting_refused: 554", whole_provider=True)),
        ("greeting", "421 busy, wait 2 minutes", Later("server_closing: 421", after=120.0, whole_provider=True)),
        ("EHLO", "550 who are you", Later("hello_refused: 550", whole_provider=True)),
        ("RCPT", "250-never\r\nends", Later("unreadable_answer: recipient", whole_provider=True)),
        ("DATA", "250 what is data", Later("unexpected_answer: data 250", whole_provider=True)),
    ],
)
async def test_R3_an_answer_becomes_its_outcome_with_codes_alone(
    step: str, answer: str, wanted: Refused | Later
) -> None:
    async with strict(Script({step: answer})) as server:
        outcome = await sent(server.port)
    assert outcome == wanted
    assert "anna" not in repr(outcome)
    assert len(server.letters) == (step == "END")


@pytest.mark.parametrize("step", ["greeting", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("what", [DROP, STALL])
async def test_R3_lost_before_the_end_of_the_letter_is_no_doubt(step: str, what: str) -> None:
    async with strict(Script({step: what})) as server:
        outcome = await sent(server.port, timeout=0.3 if what == STALL else 30.0)
    assert isinstance(outcome, Later)
    assert (outcome.in_doubt, outcome.whole_provider) == (False, True)
    kinds = ("timeout",) if what == STALL else ("connection_lost", "no_connection")
    assert outcome.reason.startswith(kinds)
    assert server.letters == []


@pytest.mark.parametrize("what", [DROP, STALL, "nonsense", "250-without end", "354 go on", "999 what"])
async def test_R3_an_answer_that_is_not_heard_after_the_final_dot_is_the_doubt(what: str) -> None:
    async with strict(Script({"END": what})) as server:
        outcome = await sent(server.port, answer_timeout=0.3)
    assert isinstance(outcome, Later)
    assert outcome.in_doubt
    assert not outcome.whole_provider
    assert len(server.letters) == 1, "the server has it whole: that is the doubt"


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (DROP, "connection_lost: letter"),
        (STALL, "timeout: letter"),
        ("421 4.3.2 shutting down", "server_closing: 421 4.3.2"),
        ("552 5.3.4 too big", "letter_refused: 552 5.3.4"),
    ],
)
async def test_R3_a_server_that_goes_in_the_middle_of_a_large_letter_leaves_no_doubt(then: str, reason: str) -> None:
    large = a_letter(text="Очень длинное письмо. " * 150_000)
    script = Script(offers=("8BITMIME",), after_bytes=50_000, then=then)
    async with strict(script) as server:
        outcome = await sent(server.port, large, **limits(script))
    assert not isinstance(outcome, Done)
    assert outcome.reason == reason
    assert isinstance(outcome, Refused) or (outcome.whole_provider and not outcome.in_doubt)
    assert server.letters == []


async def test_R3_nothing_of_a_letter_given_up_goes_out_later() -> None:
    """A server that wakes up after we gave up finds the connection cut, not the rest of the letter with its dot."""
    large = a_letter(text="x" * 8_000_000)
    woken, got = asyncio.Event(), asyncio.Future[bytes]()

    async def sleepy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"220 hi\r\n", b"250 sleepy\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            writer.write(answer)
            if not answer.startswith(b"354"):
                await reader.readuntil(b"\r\n")
        await woken.wait()
        rest = bytearray()
        try:
            while piece := await reader.read(65536):
                rest += piece
        except ConnectionError:
            pass
        got.set_result(bytes(rest))
        writer.close()

    async with await asyncio.start_server(sleepy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await sent(port, large, timeout=room(0.5))
        assert outcome == Later("timeout: letter", whole_provider=True)
        async with asyncio.timeout(60):
            while any(c.raddr and c.raddr.port == port for c in psutil.Process().net_connections("tcp")):
                await asyncio.sleep(0.01)  # cut, though the other side took nothing of what was waiting
        woken.set()
        rest = await asyncio.wait_for(got, 60)
    assert b"\r\n.\r\n" not in rest
    assert len(rest) < 8_000_000


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        (Script(), Done("4FzX9q1Z2Yz")),
        (Script({"END": DROP}), Later("connection_lost: answer", in_doubt=True)),
        (Script({"END": STALL}), Later("timeout: answer", in_doubt=True)),
        (Script(offers=(), after_bytes=50_000, then=STALL), Later("timeout: letter", whole_provider=True)),
        (Script(offers=(), after_bytes=50_000, then="552 5.3.4 no"), Refused("letter_refused: 552 5.3.4")),
    ],
)
async def test_R3_the_doubt_is_told_apart_on_the_loop_that_services_run_on(script: Script, wanted: object) -> None:
    """uvloop has its own transports, with their own way of telling that their buffer is full."""

    async def scene() -> object:
        async with strict(script) as server:
            text = "слово " * (1_000_000 if script.after_bytes else 1)
            return await sent(server.port, a_letter(text=text), **limits(script))

    def run() -> object:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(scene())

    assert await asyncio.to_thread(run) == wanted


async def test_R3_no_server_is_the_provider_s_outage() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        assert await sent(taken.getsockname()[1]) == Later("no_connection", whole_provider=True)
    assert await sent(25, host="::1") == Later("no_connection", whole_provider=True)


async def test_R3_one_connection_carries_many_letters_also_after_a_refusal() -> None:
    async with strict(Script({"RCPT": "550 5.1.1 no"}, times=1)) as server, adapter(server.port) as out:
        outcomes = [await out.carry_out([a_letter()]) for _ in range(4)]
        assert outcomes[0] == [Refused("recipient_refused: 550 5.1.1")]
        assert [type(o) for [o] in outcomes[1:]] == [Done] * 3
        assert server.connections == 1
        assert server.commands.count("RSET") == 1
        assert server.commands.count("QUIT") == 0


async def test_R3_several_letters_of_a_call_have_an_outcome_each() -> None:
    async with strict(Script({"END": "554 5.7.1 no"}, times=1)) as server, adapter(server.port) as out:
        outcomes = await out.carry_out([a_letter(), a_letter()])
    assert outcomes == [Refused("letter_refused: 554 5.7.1"), Done("4FzX9q1Z2Yz")]


@pytest.mark.parametrize("script", [Script(letters_a_connection=1), Script({"RSET": DROP})])
async def test_R3_a_connection_that_the_server_closed_meanwhile_costs_nothing(script: Script) -> None:
    async with strict(script) as server, adapter(server.port) as out:
        for _ in range(3):
            assert await out.carry_out([a_letter()]) == [Done("4FzX9q1Z2Yz")]
            await asyncio.sleep(0)
    assert len(server.letters) == 3


async def test_R3_a_waiting_connection_that_is_dead_or_told_421_is_made_anew() -> None:
    async with strict() as server, adapter(server.port) as out:
        assert await out.carry_out([a_letter()]) == [Done("4FzX9q1Z2Yz")]
        server.script.answers, server.script.times = {"MAIL": "421 4.4.2 idle too long"}, 1
        assert await out.carry_out([a_letter()]) == [Done("4FzX9q1Z2Yz")]
        assert (server.connections, len(server.letters)) == (2, 2)
        server.script.answers, server.script.times = {"MAIL": "421 4.7.0 go away"}, 1_000
        assert await out.carry_out([a_letter()]) == [Later("server_closing: 421 4.7.0", whole_provider=True)]
        assert server.connections == 3


async def test_R3_a_connection_is_left_after_its_time() -> None:
    now = 0.0
    async with strict() as server, adapter(server.port, monotonic=lambda: now) as out:
        await out.carry_out([a_letter()])
        now += 60
        await out.carry_out([a_letter()])
        assert server.connections == 2


async def test_R3_a_call_that_is_given_up_leaves_a_cut_connection_and_the_next_goes_by_another() -> None:
    async with strict(Script({"END": STALL}, times=1)) as server, adapter(server.port) as out:
        call = asyncio.create_task(out.carry_out([a_letter()]))
        async with asyncio.timeout(60):
            while not server.letters:
                await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await out.carry_out([a_letter()]) == [Done("4FzX9q1Z2Yz")]
        assert server.connections == 2


async def test_R3_closing_takes_less_than_a_second_even_when_the_server_says_no_good_bye() -> None:
    async with strict(Script({"QUIT": STALL})) as server, adapter(server.port) as out:
        await out.carry_out([a_letter()])
        begun = asyncio.get_running_loop().time()
        await out.close()
        assert asyncio.get_running_loop().time() - begun < 1.0
        assert await out.carry_out([a_letter()]) == [Later("closing")]


async def test_R3_a_letter_larger_than_the_server_takes_is_not_begun() -> None:
    async with strict(Script(offers=("SIZE 1000",))) as server:
        outcome = await sent(server.port, a_letter(text="слово " * 500))
    assert isinstance(outcome, Refused)
    assert outcome.reason.startswith("too_large: ")
    assert outcome.reason.endswith("the server takes 1000")
    assert not any(command.startswith("MAIL") for command in server.commands)


async def test_R3_an_address_beyond_ascii_goes_only_where_the_server_takes_such() -> None:
    foreign = a_letter(to="анна@клиент.рф")
    async with strict(Script(offers=("SIZE 100000", "8BITMIME"))) as server:
        outcome = await sent(server.port, foreign)
        assert isinstance(outcome, Refused)
        assert outcome.reason.startswith("smtputf8_not_offered")
    async with strict(Script(offers=("SIZE 100000", "8BITMIME", "SMTPUTF8"))) as server:
        assert await sent(server.port, foreign) == Done("4FzX9q1Z2Yz")
        mail, rcpt = server.commands[1:3]
        assert mail.endswith(" SMTPUTF8 BODY=8BITMIME")
        assert rcpt == "RCPT TO:<анна@xn--e1affem4a.xn--p1ai>"
        assert await sent(server.port, a_letter(to="anna@клиент.рф")) == Done("4FzX9q1Z2Yz")
        assert "RCPT TO:<anna@xn--e1affem4a.xn--p1ai>" in server.commands
        assert "SMTPUTF8" not in server.commands[-4], "the domain alone needs none"


async def test_R3_what_is_no_address_is_refused_without_asking_the_server() -> None:
    for address in ("anna", "anna@client.example\r\nRCPT TO:<x@y.example>", "a b@client.example", "@", ""):
        assert await sent(1, a_letter(to=address)) == Refused("address_unusable")


def test_R3_a_server_elsewhere_is_never_spoken_to_in_the_clear() -> None:
    with pytest.raises(ValueError, match="security: none is only for a server on this machine"):
        OutgoingMail(host="mail.example.org", security="none", from_address="a@firma.example")
