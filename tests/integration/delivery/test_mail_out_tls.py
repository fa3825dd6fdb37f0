"""R3: letters out over TLS and with a password, against aiosmtpd and a certificate made for the test."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.delivery.port import Done, Later
from tests.integration.delivery.mail_out_case import a_letter, limits, sent
from tests.integration.delivery.strict_smtp import DROP, STALL, Script, StrictServer

USER, PASSWORD = "школа@firma.example", "пароль с пробелом"


pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and nobody else, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def of_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


class Kept:
    """What the server took, and how it was signed in."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, bytes]] = []
        self.over_tls: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.letters.append((envelope.mail_from or "", bytes(envelope.content or b"")))
        self.over_tls.append(session.ssl is not None or server.transport.get_extra_info("sslcontext") is not None)
        return "250 2.0.0 OK id=1tFx3Q-0004bC-Xy"


def checked(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword | Any
) -> AuthResult:
    right = data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@asynccontextmanager
async def listening(*, implicit: ssl.SSLContext | None = None, **given: Any) -> AsyncIterator[tuple[Kept, int]]:
    kept = Kept()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(kept, hostname="mx.test", enable_SMTPUTF8=True, **given), "127.0.0.1", 0, ssl=implicit
    )
    try:
        yield kept, server.sockets[0].getsockname()[1]
    finally:
        server.close()


SIGNED_IN: dict[str, Any] = {"auth_required": True, "auth_require_tls": False, "authenticator": checked}


async def test_R3_a_letter_goes_over_tls_from_the_first_byte_with_a_password(certificate: Path) -> None:
    async with listening(implicit=of_server(certificate), **SIGNED_IN) as (kept, port):
        outcome = await sent(
            port, security="tls", tls=trusting(certificate), user=USER, password=PASSWORD, from_name="Школа"
        )
    assert outcome == Done("1tFx3Q-0004bC-Xy")
    [(_, raw)] = kept.letters
    assert kept.over_tls == [True]
    read = message_from_bytes(raw, policy=policy.default)
    assert read["from"].addresses[0].display_name == "Школа"
    assert read["subject"] == a_letter().subject
    assert read.get_content().replace("\r\n", "\n") == a_letter().text


async def test_R3_a_letter_goes_over_starttls_with_a_password(certificate: Path) -> None:
    given = {"tls_context": of_server(certificate), "require_starttls": True, **SIGNED_IN, "auth_require_tls": True}
    async with listening(**given) as (kept, port):
        outcome = await sent(port, security="starttls", tls=trusting(certificate), user=USER, password=PASSWORD)
    assert outcome == Done("1tFx3Q-0004bC-Xy")
    assert kept.over_tls == [True]


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_R3_a_certificate_that_nobody_vouches_for_ends_it_before_the_password(
    certificate: Path, security: str
) -> None:
    implicit = of_server(certificate) if security == "tls" else None
    given = {} if implicit else {"tls_context": of_server(certificate)}
    async with listening(implicit=implicit, **SIGNED_IN, **given) as (kept, port):
        outcome = await sent(port, security=security, user=USER, password=PASSWORD)
        other_name = await sent(
            port, security=security, tls=trusting(certificate), host="localhost", user=USER, password=PASSWORD
        )
    assert outcome == Later("certificate_refused: 18", whole_provider=True)
    assert other_name == Later("certificate_refused: 62", whole_provider=True)
    assert kept.letters == []


async def test_R3_a_server_without_the_tls_that_was_asked_for_gets_nothing(certificate: Path) -> None:
    async with listening(**SIGNED_IN) as (kept, port):
        for security, reason in (("starttls", "tls_not_offered"), ("tls", "tls_failed")):
            outcome = await sent(port, security=security, tls=trusting(certificate), user=USER, password=PASSWORD)
            assert outcome == Later(reason, whole_provider=True)
    assert kept.letters == []


async def test_R3_a_refused_password_holds_up_the_provider_and_not_the_letter() -> None:
    async with listening(**SIGNED_IN) as (kept, port):
        outcome = await sent(port, user=USER, password="not it")
        assert outcome == Later("auth_refused: 535 5.7.8", whole_provider=True)
        without = await sent(port)
        assert without == Later("auth_refused: 530 5.7.0", whole_provider=True)
    assert kept.letters == []
    async with listening(auth_exclude_mechanism=["PLAIN", "LOGIN"]) as (kept, port):
        assert await sent(port, user=USER, password=PASSWORD) == Later("auth_not_offered", whole_provider=True)


@pytest.mark.parametrize(
    ("script", "reason", "in_doubt", "came"),
    [
        (Script({"END": DROP}), "connection_lost: answer", True, 1),
        (Script({"END": STALL}), "timeout: answer", True, 1),
        (Script({"DATA": DROP}), "connection_lost: data", False, 0),
        (Script(offers=(), after_bytes=50_000), "connection_lost: letter", False, 0),
        (Script(offers=(), after_bytes=50_000, then=STALL), "timeout: letter", False, 0),
    ],
)
async def test_R3_the_doubt_is_told_apart_over_tls_too(
    certificate: Path, script: Script, reason: str, in_doubt: bool, came: int
) -> None:
    server = StrictServer(script)
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=of_server(certificate))
    port = listener.sockets[0].getsockname()[1]
    outcome = await sent(
        port,
        a_letter(text="слово " * (1_000_000 if script.after_bytes else 1)),
        security="tls",
        tls=trusting(certificate),
        **limits(script),
    )
    listener.close()
    await server.stop()
    assert isinstance(outcome, Later)
    assert (outcome.reason, outcome.in_doubt) == (reason, in_doubt)
    assert (len(server.letters), server.faults) == (came, [])


async def test_R3_a_large_letter_goes_over_tls_whole(certificate: Path) -> None:
    server = StrictServer(Script(offers=()))
    listener = await asyncio.start_server(server.connected, "127.0.0.1", 0, ssl=of_server(certificate))
    letter = a_letter(text=".точка\n" * 100_000)
    outcome = await sent(
        listener.sockets[0].getsockname()[1], letter, security="tls", tls=trusting(certificate), timeout=20.0
    )
    listener.close()
    await server.stop()
    assert outcome == Done("4FzX9q1Z2Yz")
    assert len(server.letters[0]) > 1_000_000
    assert server.faults == []
