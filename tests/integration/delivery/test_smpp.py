"""Short messages by SMPP, against a strict message centre (R3)."""

from __future__ import annotations

import asyncio
import gc
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmpplib import GSM7BitCodec  # type: ignore[import-untyped]

from services.delivery.port import Done, Later, Outcome, Refused, ShortMessage
from services.delivery.sms.smpp import SmppAdapter
from services.ways_out import SmppCenter
from tests.beside_others import free_port, room
from tests.integration.delivery.http_peer import Certificates
from tests.integration.delivery.smsc import DELIVER_SM, GENERIC_NACK, RESPONSE, Smsc, Taken, deliver, running

PHONE, LIMIT = "+79161234567", 60.0
LONG = (
    "Анна, ждём вас на занятие завтра в 10:00 по адресу: Садовая улица, 17, второй этаж. Возьмите тетрадь 🎓 и паспорт."
)


def message(text: str = "Hello", phone: str = PHONE) -> ShortMessage:
    """A message to send."""
    return ShortMessage(effect=uuid4(), phone=phone, text=text)


@asynccontextmanager
async def adapter(smsc: Smsc, **given: Any) -> AsyncIterator[SmppAdapter]:
    """Our side."""
    context = given.pop("context", None)
    fields = {
        "kind": "smpp", "host": "localhost", "port": smsc.port, "security": "none", "system_id": "firma",
        "password": "secret08", "sender": "Firma", "timeout": LIMIT,
    }  # fmt: skip
    ours = SmppAdapter(SmppCenter.model_validate(fields | given), context=context)
    try:
        yield ours
    finally:
        await ours.close()


async def send(ours: SmppAdapter, *messages: ShortMessage) -> list[Outcome]:
    """The outcomes."""
    async with asyncio.timeout(LIMIT):
        return list(await ours.carry_out(messages))


async def until(holds: Callable[[], Any]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(LIMIT):
        while not holds():
            await asyncio.sleep(0.005)


def answered(smsc: Smsc, count: int) -> bool:
    """Whether the centre's own requests have so many answers."""
    return len(smsc.answers) >= count


def read(parts: list[Taken]) -> str:
    """The text that a phone shows."""
    ordered = sorted(parts, key=lambda part: (part.concatenation or (0, 0, 0))[2])
    if ordered[0].data_coding == 8:
        return "".join(part.text.decode("utf-16-be") for part in ordered)
    assert ordered[0].data_coding == 0
    return "".join(GSM7BitCodec().decode(part.text)[0] for part in ordered)


async def test_R3_a_message_goes_as_the_standard_says_and_the_session_stays() -> None:
    async with running(Smsc()) as smsc:
        async with adapter(smsc) as ours:
            assert ours.provider == "sms"
            assert await send(ours, message("Hello [€]")) == [Done("id-1")]
            assert await send(ours, message("Привет 🎓")) == [Done("id-2")]
        await until(lambda: not smsc.writers)
        assert (smsc.binds, smsc.unbound) == (1, 1)
        first, second = smsc.taken
        assert first.source == (5, 0, "Firma")
        assert first.destination == (1, 1, "79161234567")
        assert (first.esm_class, first.registered_delivery, first.data_coding) == (0, 0, 0)
        assert read([first]) == "Hello [€]"
        assert second.data_coding == 8
        assert read([second]) == "Привет 🎓"


@pytest.mark.parametrize(
    ("sender", "source"),
    [("+79160000000", (1, 1, "79160000000")), ("1234", (0, 0, "1234")), ("My Firma 7", (5, 0, "My Firma 7"))],
)
async def test_R3_the_sender_is_a_name_a_number_or_a_short_code(sender: str, source: tuple[int, int, str]) -> None:
    async with running(Smsc()) as smsc, adapter(smsc, sender=sender) as ours:
        await send(ours, message())
        assert smsc.taken[0].source == source


@pytest.mark.parametrize("text", [LONG, "ab{c}" * 70])
async def test_R3_a_long_message_goes_in_parts_that_a_phone_joins(text: str) -> None:
    async with running(Smsc()) as smsc, adapter(smsc) as ours:
        sent = message(text)
        (first,) = await send(ours, sent)
        tried = list(smsc.taken)
        assert len(tried) > 1
        assert first == Done(" ".join(f"id-{number}" for number in range(1, len(tried) + 1)))
        assert read(tried) == text
        assert all(len(part.short_message) <= (140 if part.data_coding else 159) for part in tried)
        keys = [part.concatenation for part in tried]
        assert keys == [(sent.effect.int & 0xFF, len(tried), number) for number in range(1, len(tried) + 1)]
        await send(ours, sent)
        assert [part.concatenation for part in smsc.taken[len(tried) :]] == keys  # a repeat bears the same reference


async def test_R3_a_long_message_goes_whole_where_the_centre_cuts_it() -> None:
    async with running(Smsc()) as smsc, adapter(smsc, long_messages="payload") as ours:
        assert await send(ours, message(LONG), message("кратко"), message("a" * 161)) == [
            Done("id-1"),
            Done("id-2"),
            Done("id-3"),
        ]
        assert [len(part.short_message) for part in smsc.taken] == [0, 12, 0]
        assert [read([part]) for part in smsc.taken] == [LONG, "кратко", "a" * 161]
        assert [part.data_coding for part in smsc.taken] == [8, 8, 0]


@pytest.mark.parametrize("long", ["parts", "payload"])
async def test_R3_half_a_surrogate_breaks_nothing(long: str) -> None:
    async with running(Smsc()) as smsc, adapter(smsc, long_messages=long) as ours:
        assert isinstance((await send(ours, message("a\ud83cb" * 30)))[0], Done)
        assert read(smsc.taken) == "a?b" * 30


async def test_R3_what_is_no_message_is_refused_before_it_is_sent() -> None:
    async with running(Smsc()) as smsc, adapter(smsc) as ours:
        outcomes = await send(
            ours, message(phone="89161234567"), message(""), message("я" * 67 * 255), message("я" * (67 * 255 + 1))
        )
        assert outcomes[0] == Refused("smpp_refused: no phone in E.164")
        assert outcomes[1] == Refused("smpp_refused: no text")
        assert isinstance(outcomes[2], Done)
        assert outcomes[3] == Refused("smpp_refused: more than 255 parts")
        assert len(smsc.taken) == 255


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x0B, Refused("smpp_refused: 0x0b")),
        (0x01, Refused("smpp_refused: 0x01")),
        (0x50, Refused("smpp_refused: 0x50")),
        (0x14, Later("smpp_busy: 0x14", whole_provider=True)),
        (0x58, Later("smpp_busy: 0x58", whole_provider=True)),
        (0x0A, Later("smpp_account_refused: 0x0a", whole_provider=True)),
        (0x08, Later("smpp_failed: 0x08")),
        (0x45, Later("smpp_failed: 0x45")),
        (0xFF, Later("smpp_failed: 0xff")),
        (0x40B, Later("smpp_failed: 0x40b")),  # a vendor's own
    ],
)
async def test_R3_what_each_status_means_and_the_session_outlives_it(status: int, outcome: Outcome) -> None:
    answers = iter((status, 0))
    async with running(Smsc(status=lambda _taken: next(answers))) as smsc, adapter(smsc) as ours:
        assert await send(ours, message()) == [outcome]
        assert await send(ours, message()) == [Done("id-1")]
        assert smsc.binds == 1


async def test_R3_an_answer_that_does_not_come_leaves_the_message_in_doubt() -> None:
    async with running(Smsc(status=lambda _taken: None)) as smsc, adapter(smsc, timeout=0.7) as ours:
        assert await send(ours, message()) == [Later("smpp_no_answer", in_doubt=True)]
        smsc.status = lambda _taken: 0
        assert await send(ours, message()) == [Done("id-1")]
        assert smsc.binds == 1


async def test_R3_a_line_cut_before_the_answer_leaves_the_message_in_doubt_and_the_next_binds_anew() -> None:
    smsc = Smsc()

    def cut(_taken: Taken) -> int | None:
        smsc.hang_up()
        return None

    async with running(smsc), adapter(smsc) as ours:
        smsc.status = cut
        assert await send(ours, message()) == [Later("smpp_no_answer", in_doubt=True, whole_provider=True)]
        smsc.status = lambda _taken: 0
        assert await send(ours, message()) == [Done("id-1")]
        assert smsc.binds == 2


async def test_R3_a_busy_centre_gets_the_other_parts_of_a_message_that_has_begun() -> None:
    answers = iter((0, 0x58, 0x14, 0, 0))
    async with running(Smsc(status=lambda _taken: next(answers))) as smsc, adapter(smsc) as ours:
        assert await send(ours, message("я" * 67 * 3)) == [Done("id-1 id-2 id-3")]
        assert read(smsc.taken) == "я" * 67 * 3


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (0x58, Later("smpp_busy: 0x58 at part 2 of 3", in_doubt=True, whole_provider=True)),
        (0x08, Later("smpp_failed: 0x08 at part 2 of 3", in_doubt=True)),
        (0x0A, Later("smpp_account_refused: 0x0a at part 2 of 3", in_doubt=True, whole_provider=True)),
        (0x0B, Refused("smpp_refused: 0x0b at part 2 of 3")),
        (None, Later("smpp_no_answer", in_doubt=True)),
    ],
)
async def test_R3_a_long_message_of_which_a_part_went_is_in_doubt(status: int | None, outcome: Outcome) -> None:
    smsc = Smsc()
    smsc.status = lambda _taken: 0 if not smsc.taken else status
    async with running(smsc), adapter(smsc, timeout=0.7) as ours:
        assert await send(ours, message("я" * 67 * 3)) == [outcome]


@pytest.mark.parametrize(
    ("given", "status"),
    [({"password": "wrong"}, 0x0E), ({"system_id": "other"}, 0x0F), ({}, 0x0D), ({}, 0x58), ({}, 0x400)],
)
async def test_R3_a_refused_bind_stops_all_and_is_tried_once_a_call(given: dict[str, str], status: int) -> None:
    binds = 0
    smsc = Smsc(bind_status=None if given else status)
    async with running(smsc), adapter(smsc, **given) as ours:
        refused = Later(f"smpp_bind_refused: 0x{status:02x}", whole_provider=True)
        smsc_bind = smsc._bind

        def counted(body: bytes) -> int:
            nonlocal binds
            binds += 1
            return smsc_bind(body)

        smsc._bind = counted  # type: ignore[method-assign]
        assert await send(ours, *(message() for _ in range(5))) == [refused] * 5
        assert binds == 1
        await until(lambda: not smsc.writers)  # nothing is left open
        smsc.bind_status = 0
        assert await send(ours, message()) == [Done("id-1")]


async def test_R3_no_centre_and_a_silent_one_stop_all() -> None:
    async with adapter(Smsc(port=free_port())) as ours:
        assert await send(ours, message()) == [Later("smpp_no_connection", whole_provider=True)]
    async with running(Smsc(answers_binds=False)) as smsc, adapter(smsc, timeout=0.2) as ours:
        assert await send(ours, message()) == [Later("smpp_no_connection", whole_provider=True)]
        await until(lambda: not smsc.writers)


async def test_R3_a_quiet_line_is_watched() -> None:
    async with running(Smsc()) as smsc, adapter(smsc, enquire_every=0.1, timeout=0.7) as ours:
        await send(ours, message())
        await until(lambda: smsc.enquiries >= 2)
        assert await send(ours, message()) == [Done("id-2")]
        assert smsc.binds == 1
        smsc.answers_enquiries = False
        await until(lambda: not smsc.writers)  # a line that is dead is cut
        assert await send(ours, message()) == [Done("id-3")]
        assert smsc.binds == 2


async def test_R3_what_the_centre_asks_is_answered_and_no_incoming_message_is_taken_and_lost() -> None:
    async with running(Smsc()) as smsc, adapter(smsc) as ours:
        await send(ours, message())
        receipt = deliver(8, b"id:1 stat:DELIVRD", esm_class=0x04, tlv=struct.pack("!HH", 0x1400, 3) + b"abc")
        for number, raw in enumerate(
            (
                struct.pack("!IIII", 16, 0x15, 0, 7),  # enquire_link
                receipt,
                deliver(9, b"STOP"),
                struct.pack("!IIII", 16, 0x102, 0, 10),  # alert_notification
                struct.pack("!IIII", 17, DELIVER_SM, 0, 11) + b"x",  # cut short
                struct.pack("!IIII", 16, 0x80000004, 0, 999),  # an answer to nothing
                struct.pack("!IIII", 16, 0x15, 0, 12),
            )
        ):
            await smsc.send(raw)
            await until(partial(answered, smsc, min(number + 1, 5)))
        await until(lambda: len(smsc.answers) == 6)
        assert smsc.answers == [
            (0x15 | RESPONSE, 0, 7),
            (DELIVER_SM | RESPONSE, 0, 8),
            (DELIVER_SM | RESPONSE, 0x66, 9),
            (GENERIC_NACK, 0x03, 10),
            (DELIVER_SM | RESPONSE, 0x66, 11),
            (0x15 | RESPONSE, 0, 12),
        ]
        assert await send(ours, message()) == [Done("id-2")]
        assert smsc.binds == 1


async def test_R3_a_centre_that_says_goodbye_is_answered_and_bound_again() -> None:
    async with running(Smsc()) as smsc, adapter(smsc) as ours:
        await send(ours, message())
        await smsc.send(struct.pack("!IIII", 16, 0x06, 0, 5))
        await until(lambda: not smsc.writers)
        assert smsc.answers == [(0x06 | RESPONSE, 0, 5)]
        assert await send(ours, message()) == [Done("id-2")]
        assert smsc.binds == 2


@pytest.mark.parametrize(
    "garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 16, struct.pack("!IIII", 2**31, 4, 0, 1)]
)
async def test_R3_what_is_no_smpp_ends_the_session_only(garbage: bytes) -> None:
    async with running(Smsc()) as smsc, adapter(smsc) as ours:
        await send(ours, message())
        await smsc.send(garbage)
        await until(lambda: not smsc.writers)
        assert await send(ours, message()) == [Done("id-2")]


async def test_R3_many_go_side_by_side_over_one_session() -> None:
    async with running(Smsc()) as smsc, adapter(smsc) as ours:
        outcomes = await asyncio.gather(*(send(ours, *(message() for _ in range(20))) for _ in range(10)))
        assert len({done.provider_id for batch in outcomes for done in batch if isinstance(done, Done)}) == 200
        assert smsc.binds == 1


async def test_R3_closing_takes_no_longer_than_a_second_whatever_the_centre_does() -> None:
    async with running(Smsc(answers_unbinds=False)) as smsc:
        async with adapter(smsc) as ours:
            await send(ours, message())
            smsc.status = lambda _taken: None
            waiting = asyncio.create_task(send(ours, message()))
            await until(lambda: len(ours._session._waiting) == 1 if ours._session else False)
            begun = time.monotonic()
            await ours.close()
            assert time.monotonic() - begun < room(1)
            assert await waiting == [Later("smpp_no_answer", in_doubt=True, whole_provider=True)]
        await until(lambda: not smsc.writers)
        assert smsc.unbound == 1


async def test_R3_over_tls_the_certificate_is_looked_at(tmp_path: Path) -> None:
    made = Certificates.made(tmp_path, "localhost")
    async with running(Smsc(), made.server()) as smsc:
        async with adapter(smsc, security="tls", context=made.client()) as ours:
            assert await send(ours, message()) == [Done("id-1")]
        async with adapter(smsc, security="tls") as ours:
            assert await send(ours, message()) == [Later("smpp_certificate", whole_provider=True)]


async def test_R3_nothing_personal_and_no_socket_is_left(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    gc.collect()
    recwarn.clear()  # what tests before this one left behind is not ours
    caplog.set_level(0)
    fixed = UUID(int=7)
    said: list[Outcome] = []
    async with running(Smsc()) as smsc, adapter(smsc, timeout=0.7) as ours:
        for status in (0, 0x0B, 0x58, None):
            smsc.status = lambda _taken, status=status: status  # type: ignore[misc]
            said += await send(ours, ShortMessage(fixed, PHONE, "Анна"), message(LONG))
        await smsc.send(deliver(9, "Анна".encode("utf-16-be")))
        await until(lambda: smsc.answers)
        smsc.hang_up()
        await until(lambda: not smsc.writers)
    gc.collect()
    printed = capfd.readouterr()
    written = repr(said) + caplog.text + printed.out + printed.err
    assert "an incoming short message was rejected" in written  # the eye is open
    assert all(word not in written for word in (PHONE[1:], "Анна", "secret08"))
    assert [warning for warning in recwarn if issubclass(warning.category, ResourceWarning)] == []
