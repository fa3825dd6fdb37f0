"""A real HTTP server of the other side that answers, byte by byte, whatever a test says; and certificates for it."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LIMIT = 60.0


@dataclass(frozen=True)
class Asked:
    """One request; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, body: bytes = b"", **headers: str) -> Script:
    """A script that answers with a status."""

    async def script(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join((*lines, "", "")).encode() + body)
        await writer.drain()

    return script


async def hang_up(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A script that takes the request and cuts the line."""
    writer.transport.abort()


async def say_nothing(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A script that never answers, until the other side goes."""
    async with asyncio.timeout(LIMIT):
        while not writer.is_closing():
            await asyncio.sleep(0.01)


@dataclass
class Peer:
    """The server: where it is, what it was asked, what it does next."""

    port: int = 0
    script: Script = field(default_factory=lambda: answer(200))
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)
    """SNI of each TLS connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, any number of requests."""
        self.connections += 1
        gone = asyncio.create_task(self._requests(reader, writer))
        try:
            await gone
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {}
            for line in filter(None, head[1:]):
                name, _, value = line.partition(":")
                assert name.lower() not in headers, f"{name} came twice"
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            asked = Asked(head[0], headers, body)
            self.asked.append(asked)
            await self.script(asked, writer)


@asynccontextmanager
async def listening(script: Script | None = None, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A peer on a free port of 127.0.0.1."""
    peer = Peer() if script is None else Peer(script=script)
    if context is not None:

        def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            peer.names.append(name)

        context.sni_callback = note
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        await peer.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@dataclass(frozen=True)
class Certificates:
    """An authority of the test's own, and what trusts it."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *names: str) -> Certificates:
        """One certificate for these host names and addresses."""
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([_name(host) for host in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cls(folder)

    def server(self) -> ssl.SSLContext:
        """The context of a server that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        return context

    def client(self) -> ssl.SSLContext:
        """The context of a client that trusts it."""
        return ssl.create_default_context(cafile=str(self.folder / "cert.pem"))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
