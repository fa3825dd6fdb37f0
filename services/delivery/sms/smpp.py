"""Short messages out by SMPP 3.4 (R3).

Invariants: SMPP has no key by which a centre would drop a repeat, so a message whose answer was lost is in doubt, and so is a
long one of which only some parts went. The parts bear a reference made from the effect's id, the same at every try, so that a
phone can join what came of two tries. One session, bound when first needed and again after it was lost; a refused bind is not
tried again before the next call. On failure: `Later`, of the whole centre where no message can go.
Source: SMPP 3.4 (12-Oct-1999): 4.4 submit_sm, 5.1.3 statuses, 5.2.12 esm_class, 5.2.19 data_coding.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from aiosmpplib import NPI, TON, PhoneNumber, SubmitSm  # type: ignore[import-untyped]

from services.delivery.port import Done, Later, Outcome, Refused, ShortMessage
from services.delivery.sms.parts import MOST_PARTS, Parts, cut
from services.delivery.sms.smpp_session import BindRefusedError, Response, Session, SessionLostError
from services.ways_out import SmppCenter

_OK: Final = 0x00
_BUSY: Final = frozenset({0x14, 0x58})
"""ESME_RMSGQFUL, ESME_RTHROTTLED."""
_NOBODY: Final = frozenset({0x04, 0x05, 0x0A, 0x0D, 0x0E, 0x0F, 0x15, 0x48, 0x49, 0x53})
"""The session, our account, our sender or service type is not accepted: no message will be."""
_PASSING: Final = frozenset({0x08, 0x45, 0x64, 0xFE, 0xFF})
"""System error, submit failed, temporary application error, delivery failure, unknown error."""
_VENDOR: Final = 0x400
"""From here on vendors' own: what they mean is not known, so it is tried again."""
_UDHI: Final = 0x40
PART_PAUSE: Final = 0.5
"""Seconds before a part of a message that has begun is offered to a busy centre again."""

_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_ID: Final = re.compile(rb"[\x21-\x7e]{1,64}")


class SmppAdapter:
    """Sends through one message centre."""

    def __init__(self, center: SmppCenter, *, context: ssl.SSLContext | None = None) -> None:
        """`context`: whom to trust; none: whom this machine trusts. Nothing is connected before the first message."""
        self._center = center
        self._context = None if center.security == "none" else context or ssl.create_default_context()
        self._binding = asyncio.Lock()
        self._session: Session | None = None

    @property
    def provider(self) -> str:
        """There is one way out for short messages."""
        return "sms"

    @property
    def most(self) -> int:
        """One at a time; calls may overlap, the session carries them side by side."""
        return 1

    async def carry_out(self, effects: Sequence[ShortMessage]) -> Sequence[Outcome]:
        """Send each. `in_doubt` where the answer was lost, or only some parts of a long message went."""
        session = await self._bound()
        if isinstance(session, Later):
            return [session] * len(effects)
        return await asyncio.gather(*(self._one(session, message) for message in effects))

    async def close(self) -> None:
        """Unbind and let go of the connection; what still waits for its answer is in doubt."""
        session, self._session = self._session, None
        if session is not None:
            await session.unbind()

    async def _bound(self) -> Session | Later:
        async with self._binding:
            if self._session is not None:
                if self._session.alive:
                    return self._session
                await self._session.cut()
                self._session = None
            try:
                self._session = await Session.bind(self._center, self._context)
            except BindRefusedError as error:
                return Later(f"smpp_bind_refused: 0x{error.status:02x}", whole_provider=True)
            except ssl.SSLCertVerificationError:
                return Later("smpp_certificate", whole_provider=True)
            except (SessionLostError, OSError):
                return Later("smpp_no_connection", whole_provider=True)
            return self._session

    async def _one(self, session: Session, message: ShortMessage) -> Outcome:
        if not _PHONE.fullmatch(message.phone):
            return Refused("smpp_refused: no phone in E.164")
        if not message.text:
            return Refused("smpp_refused: no text")
        parts = cut(message.text)
        if parts.count > MOST_PARTS:
            return Refused(f"smpp_refused: more than {MOST_PARTS} parts")
        requests = self._requests(message, parts)
        ids: list[str] = []
        until = asyncio.get_running_loop().time() + self._center.timeout
        for part, request in enumerate(requests):
            try:
                answer = await session.ask(request)
                while part and answer.status in _BUSY and asyncio.get_running_loop().time() + PART_PAUSE < until:
                    await asyncio.sleep(PART_PAUSE)
                    answer = await session.ask(request)
            except TimeoutError:
                return Later("smpp_no_answer", in_doubt=True)
            except SessionLostError as error:
                if part or error.sent:
                    return Later("smpp_no_answer", in_doubt=True, whole_provider=True)
                return Later("smpp_no_connection", whole_provider=True)
            if answer.status != _OK:
                return _not_taken(answer.status, part, len(requests))
            ids.append(_message_id(answer))
        return Done(" ".join(filter(None, ids))[:200] or None)

    def _requests(self, message: ShortMessage, parts: Parts) -> list[Any]:
        """The submit_sm of each part."""
        encoding = "ucs2" if parts.alphabet == "ucs2" else None  # None: data_coding 0, the centre's GSM alphabet
        common: dict[str, Any] = {
            "source": _sender(self._center.sender),
            "destination": PhoneNumber(message.phone.removeprefix("+"), TON.INTERNATIONAL, NPI.ISDN),
            "registered_delivery": 0,
            "encoding": encoding,
        }
        if parts.count > 1 and self._center.long_messages == "payload":
            return [SubmitSm(message_payload=message.text, error_handling="replace", **common)]
        requests = []
        for number, octets in enumerate(parts.encoded, start=1):
            header = b"" if parts.count == 1 else _concatenation(message.effect, parts.count, number)
            request = SubmitSm(short_message=message.text, esm_class=_UDHI if header else 0, **common)
            request.set_encoded_message(header + octets)
            requests.append(request)
        return requests


def _concatenation(effect: UUID, count: int, number: int) -> bytes:
    """The user data header of a part (3GPP TS 23.040, 9.2.3.24.1); the reference is the same at every try."""
    return bytes((5, 0, 3, effect.int & 0xFF, count, number))


def _sender(sender: str) -> Any:
    if re.fullmatch(r"\+[0-9]+", sender):
        return PhoneNumber(sender.removeprefix("+"), TON.INTERNATIONAL, NPI.ISDN)
    if sender.isdigit():
        return PhoneNumber(sender, TON.UNKNOWN, NPI.UNKNOWN)
    return PhoneNumber(sender, TON.ALPHANUMERIC, NPI.UNKNOWN)


def _message_id(answer: Response) -> str:
    found = _ID.fullmatch(answer.body.partition(b"\0")[0])
    return found[0].decode("ascii") if found else ""


def _not_taken(status: int, part: int, count: int) -> Outcome:
    """What a status other than ESME_ROK means. `part`: how many parts went before."""
    of = f" at part {part + 1} of {count}" if part else ""
    if status in _BUSY:
        return Later(f"smpp_busy: 0x{status:02x}{of}", in_doubt=part > 0, whole_provider=True)
    if status in _NOBODY:
        return Later(f"smpp_account_refused: 0x{status:02x}{of}", in_doubt=part > 0, whole_provider=True)
    if status in _PASSING or status >= _VENDOR:
        return Later(f"smpp_failed: 0x{status:02x}{of}", in_doubt=part > 0)
    return Refused(f"smpp_refused: 0x{status:02x}{of}")
