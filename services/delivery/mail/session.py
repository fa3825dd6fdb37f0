"""One conversation with a mail server (RFC 5321): signing in, and letters one after another. aiosmtplib is seen only here.

Invariants: the final dot is written only after all before it has left our buffer, and whoever asks can tell whether it was
written: before it nothing can have been taken, after it only the server's answer says. A connection that broke is aborted, not
closed, so that nothing still buffered goes out behind our back. Whatever server or network do raises `EndedError`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from typing import cast

import aiosmtplib
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPTimeoutError,
)

from services.delivery.mail.answers import CLOSING, Step, accepted, in_doubt, judge, no_answer
from services.delivery.mail.composing import Written
from services.delivery.port import Done, Later, Refused
from services.ways_out import OutgoingMail

PIECE_BYTES = 64 * 1024
QUIT_SECONDS = 0.5
_LINE_WITH_DOT = re.compile(rb"^\.", re.MULTILINE)


class EndedError(Exception):
    """A letter's way ended here. `usable`: the connection can take another letter."""

    def __init__(self, outcome: Later | Refused, step: Step, *, usable: bool = False) -> None:
        super().__init__(outcome.reason)
        self.outcome, self.step, self.usable = outcome, step, usable


class Session:
    """A connection that is signed in. Made by `Session.open`; one letter at a time."""

    def __init__(self, smtp: aiosmtplib.SMTP, mail: OutgoingMail) -> None:
        self._smtp, self._mail = smtp, mail
        self._reading: asyncio.Task[aiosmtplib.SMTPResponse] | None = None
        self.letters = 0

    @classmethod
    async def open(cls, mail: OutgoingMail, tls: ssl.SSLContext | None) -> Session:
        """Connect and sign in within `mail.timeout` seconds. Raises EndedError (`Later`, the whole provider)."""
        smtp = aiosmtplib.SMTP(
            hostname=mail.host,
            port=mail.server_port,
            use_tls=mail.security == "tls",
            start_tls=mail.security == "starttls",
            tls_context=tls,
            timeout=mail.timeout,
            local_hostname=mail.from_address.rpartition("@")[2],
        )
        made = cls(smtp, mail)
        step: Step = "greeting"
        try:
            async with asyncio.timeout(mail.timeout):
                await smtp.connect()
                step = "hello"
                await smtp.ehlo()
                if mail.user is not None and mail.password is not None:
                    step = "auth"
                    await smtp.login(mail.user, mail.password.get_secret_value())
        except (TimeoutError, OSError, SMTPException, ValueError) as error:
            made.abort()
            raise EndedError(_not_opened(error, step, mail), step) from None
        except BaseException:
            made.abort()
            raise
        return made

    @property
    def is_open(self) -> bool:
        """Whether the server still listens, as far as is known."""
        return self._smtp.is_connected

    async def hand_over(self, written: Written) -> None:
        """Everything of a letter but its end, within `mail.timeout` seconds. Raises EndedError: nothing was taken."""
        self.letters += 1
        step: list[Step] = ["sender"]
        try:
            async with asyncio.timeout(self._mail.timeout):
                await self._envelope(written, step)
                await self._content(written.raw, step)
        except TimeoutError:
            self.abort()
            raise EndedError(no_answer("timeout", step[0]), step[0]) from None
        except EndedError as ended:
            if not ended.usable:
                self.abort()
            raise
        except BaseException:
            self.abort()
            raise

    async def finish(self) -> Done:
        """The end of the letter, and the server's answer. Raises EndedError: refused, to be tried later, or in doubt."""
        reading, protocol = self._reading, self._smtp.protocol
        assert reading is not None, "a letter was handed over"
        try:
            if protocol is None or reading.done():
                raise _early(reading)
            try:
                protocol.write(b".\r\n")
            except (OSError, SMTPException):
                raise EndedError(no_answer("connection_lost", "letter"), "letter") from None
            # From here on the server may have the letter whole.
            done, _ = await asyncio.wait({reading}, timeout=self._mail.answer_timeout)
            if not done:
                raise EndedError(in_doubt("timeout"), "answer")
            try:
                answer = reading.result()
            except SMTPResponseException:
                raise EndedError(in_doubt("unreadable_answer"), "answer") from None
            except (OSError, SMTPException):
                raise EndedError(in_doubt("connection_lost"), "answer") from None
            found = judge("answer", answer.code, answer.message)
            if found is None:
                self._reading = None
                return accepted(answer.message)
            if not 400 <= answer.code < 600:
                raise EndedError(in_doubt("unreadable_answer"), "answer")
            raise EndedError(found, "answer", usable=answer.code != CLOSING)
        except EndedError as ended:
            self._reading = None
            if not ended.usable:
                self.abort()
            raise
        except BaseException:
            self.abort()
            raise

    async def reset(self) -> bool:
        """Forget the letter that was refused. False: the connection is of no more use."""
        try:
            async with asyncio.timeout(self._mail.timeout):
                return (await self._smtp.execute_command(b"RSET")).code == 250
        except (TimeoutError, OSError, SMTPException):
            return False

    async def quit(self) -> None:
        """Say good-bye, if that can be said within half a second."""
        with suppress(TimeoutError, OSError, SMTPException):
            async with asyncio.timeout(QUIT_SECONDS):
                await self._smtp.quit()
        self.abort()

    def abort(self) -> None:
        """Cut the connection; what was not sent yet is thrown away."""
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        transport = self._smtp.transport
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()
        self._smtp.close()

    async def _envelope(self, written: Written, step: list[Step]) -> None:
        offered = self._smtp.esmtp_extensions
        options = []
        if "size" in offered:
            limit = offered["size"].strip()
            if limit.isdecimal() and 0 < int(limit) < len(written.raw):
                reason = f"too_large: {len(written.raw)} bytes, the server takes {limit}"
                raise EndedError(Refused(reason), "sender", usable=True)
            options.append(b"SIZE=%d" % len(written.raw))
        if written.needs_utf8:
            if "smtputf8" not in offered or "8bitmime" not in offered:
                reason = "smtputf8_not_offered: the server takes no address of letters that are not ASCII"
                raise EndedError(Refused(reason), "sender", usable=True)
            options += [b"SMTPUTF8", b"BODY=8BITMIME"]
        await self._say(step, "sender", b"MAIL", b"FROM:<" + written.sender.encode() + b">", *options)
        await self._say(step, "recipient", b"RCPT", b"TO:<" + written.recipient.encode() + b">")
        await self._say(step, "data", b"DATA")

    async def _say(self, now: list[Step], step: Step, *command: bytes) -> None:
        now[0] = step
        try:
            answer = await self._smtp.execute_command(*command)
        except SMTPTimeoutError:
            raise EndedError(no_answer("timeout", step), step) from None
        except SMTPResponseException:
            raise EndedError(no_answer("unreadable_answer", step), step) from None
        except (OSError, SMTPException):
            raise EndedError(no_answer("connection_lost", step), step) from None
        if (found := judge(step, answer.code, answer.message)) is not None:
            raise EndedError(found, step, usable=400 <= answer.code < 600 and answer.code != CLOSING)

    async def _content(self, raw: bytes, step: list[Step]) -> None:
        """The letter, dot-stuffed (RFC 5321 4.5.2), piece by piece, until it has left our buffer."""
        step[0] = "letter"
        protocol = self._smtp.protocol
        if protocol is None:
            raise EndedError(no_answer("connection_lost", "letter"), "letter")
        # An answer that comes before its time must be heard: aiosmtplib drops what nobody waits for.
        self._reading = reading = asyncio.create_task(protocol.read_response())
        reading.add_done_callback(_looked_at)
        await asyncio.sleep(0)
        cast(asyncio.WriteTransport, protocol.transport).set_write_buffer_limits(high=1, low=0)
        stuffed = _LINE_WITH_DOT.sub(b"..", raw)
        for at in range(0, len(stuffed), PIECE_BYTES):
            try:
                protocol.write(stuffed[at : at + PIECE_BYTES])
            except (OSError, SMTPException):
                raise EndedError(no_answer("connection_lost", "letter"), "letter") from None
            # aiosmtplib's own flow control, the standard library's: it has no public name
            drained = asyncio.ensure_future(protocol._drain_helper())
            try:
                await asyncio.wait({drained, reading}, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    raise _early(reading)
                drained.result()
            except OSError:
                raise EndedError(no_answer("connection_lost", "letter"), "letter") from None
            finally:
                drained.cancel()
        await asyncio.sleep(0)  # what has come meanwhile is heard before the end is written


def _looked_at(reading: asyncio.Task[aiosmtplib.SMTPResponse]) -> None:
    """Whatever comes of it once nobody waits any more is of no interest."""
    if not reading.cancelled():
        reading.exception()


def _early(reading: asyncio.Task[aiosmtplib.SMTPResponse]) -> EndedError:
    """The server answered, or went, before the end of the letter: so it has not taken it."""
    try:
        answer = reading.result()
    except SMTPResponseException:
        return EndedError(no_answer("unreadable_answer", "letter"), "letter")
    except (OSError, SMTPException, asyncio.CancelledError, asyncio.InvalidStateError):
        return EndedError(no_answer("connection_lost", "letter"), "letter")
    return EndedError(
        judge("answer", answer.code, answer.message) or no_answer("unreadable_answer", "letter"), "letter"
    )


def _not_opened(error: Exception, step: Step, mail: OutgoingMail) -> Later:
    """Why there is no connection, without what the server or the system said."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Later(f"certificate_refused: {cause.verify_code}", whole_provider=True)
    if isinstance(cause, ssl.SSLError):
        return Later("tls_failed", whole_provider=True)
    if isinstance(error, SMTPAuthenticationError):
        return _whole(judge("auth", error.code, error.message))
    if isinstance(error, SMTPHeloError):
        return _whole(judge("hello", error.code, error.message))
    if isinstance(error, SMTPResponseException):
        # aiosmtplib raises the same for a greeting and for STARTTLS
        return _whole(
            judge("greeting" if isinstance(error, SMTPConnectResponseError) else "tls", error.code, error.message)
        )
    if isinstance(error, TimeoutError):
        return no_answer("timeout", step)
    if isinstance(error, SMTPConnectError | ValueError):
        return Later("no_connection", whole_provider=True)
    if isinstance(error, OSError):
        return no_answer("connection_lost", step)
    if step == "greeting" and mail.security == "starttls":
        return Later("tls_not_offered", whole_provider=True)
    return Later("auth_not_offered", whole_provider=True)


def _whole(found: Later | Refused | None) -> Later:
    """Before any letter every refusal is about the server; a success that is called an error is none."""
    if isinstance(found, Later):
        return found
    return Later("unexpected_answer", whole_provider=True)
