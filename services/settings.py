"""Every setting of every service, read from the environment once.

Invariants: no secret has a default that works outside the demo; a missing or malformed setting stops the start with its
name. Nothing here is ever logged whole: secrets are `SecretStr`.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOCAL_WITH_TOKEN = 27
"""What a local part may be long to have room for `+` and a UUID (RFC 5321 4.5.3.1.1: 64 octets)."""


class Mailbox(BaseModel):
    """One mailbox that is polled by IMAP."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")
    """Its name here. What was taken from it is remembered under this name: never give it to another mailbox."""
    host: str
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    """none: only to a server on this machine."""
    user: str
    password: SecretStr
    address: str
    """The company's address whose letters it holds."""
    folder: str = "INBOX"
    every: float = Field(default=30.0, ge=0.1, le=3600)
    """Seconds between two looks."""
    take: Literal["all", "new"] = "all"
    """new: letters that were there before the first look are left alone."""


class Colleague(BaseModel):
    """One of our people, as notices of robots name and reach them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")
    """As on their token: the actor's id in events."""
    role: Literal["seller", "head"]
    email: str | None = Field(default=None, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")
    """Unset: notices to them are shown in the app and not sent."""


class OutgoingMail(BaseModel):
    """The mail server that letters go out through, and whose letters they are (R3)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:\-]+$")
    port: int | None = Field(default=None, ge=1, le=65535)
    """Unset: 465 with tls, 587 with starttls, 25 with none."""
    security: Literal["tls", "starttls", "none"] = "tls"
    """none: only to a server on this machine."""
    user: str | None = Field(default=None, min_length=1, max_length=320)
    password: SecretStr | None = None
    from_address: str
    from_name: str = Field(default="", max_length=100)
    reply_address: str | None = None
    """Where answers go, as `local+TOKEN@domain`; the door must take its letters. Left out: `from_address`."""
    bounce_address: str | None = None
    """Where reports of letters that did not arrive go, likewise with a token. Left out: `reply_address`."""
    envelope_token: bool = True
    """Whether the envelope's sender has the token too. false: for a server that takes no `+` there; reports are then told by the
    letter they give back and the address they name."""
    per_minute: int = Field(default=100, ge=1)
    """Letters a minute that the server lets through; the others wait."""
    connections: int = Field(default=2, ge=1, le=50)
    """At once."""
    timeout: float = Field(default=20.0, ge=0.1, le=300)
    """Seconds for the connection, and for each answer of the server."""
    answer_timeout: float = Field(default=60.0, ge=0.1, le=600)
    """Seconds for the answer to a whole letter: a server may take long over it (RFC 5321 4.5.3.2.6), and giving up leaves a
    doubt."""

    @field_validator("from_address", "reply_address", "bounce_address")
    @classmethod
    def _sendable(cls, address: str | None) -> str | None:
        if address is None:
            return None
        try:
            # As it stands in a letter's envelope: the domain in its ASCII form.
            found = validate_email(
                address, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False
            ).ascii_email
        except EmailNotValidError as error:
            raise ValueError(f"this is no e-mail address ({error})") from None
        if found is None:
            raise ValueError("left of @ only ASCII letters: not every server takes others")
        return found

    @field_validator("from_name")
    @classmethod
    def _shown_on_one_line(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("a name is one line without control characters")
        return name

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.security == "none" and not _is_this_machine(self.host):
            raise ValueError("security: none is only for a server on this machine; use tls or starttls")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        for address in (self.answers_to, self.reports_to):
            local = address.rpartition("@")[0]
            if "+" in local or local.startswith('"') or len(local) > LOCAL_WITH_TOKEN:
                raise ValueError(
                    "answers come to local+TOKEN@domain: left of @ no + and no quotes, and at most "
                    f"{LOCAL_WITH_TOKEN} characters; give a reply_address like that"
                )
        return self

    @property
    def answers_to(self) -> str:
        """The address that answers come to, without a token."""
        return self.reply_address or self.from_address

    @property
    def reports_to(self) -> str:
        """The address that reports of what did not arrive come to, without a token."""
        return self.bounce_address or self.answers_to

    @property
    def server_port(self) -> int:
        """The port, or the usual one of its security."""
        return self.port or {"tls": 465, "starttls": 587, "none": 25}[self.security]


class SmsGateway(BaseModel):
    """Short messages go out by HTTP, to a gateway that speaks `services/delivery/sms/gateway.openapi.yaml` (R3)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["http"]
    url: str
    """Where messages are posted; https, or http to this machine."""
    token: SecretStr = Field(min_length=1)
    sender: str = Field(min_length=1, max_length=20)
    """Who the message is from, as the gateway knows it: a name or a number."""
    per_minute: int = Field(default=600, ge=1)
    timeout: float = Field(default=20.0, ge=0.1, le=120)
    """Seconds for one message, connecting included."""

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str) -> str:
        return _outgoing_url(value, plain_allowed=True)


class SmppCenter(BaseModel):
    """Short messages go out by SMPP 3.4, over one session with a message centre (R3)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["smpp"]
    host: str = Field(min_length=1)
    port: int = Field(default=2775, ge=1, le=65535)
    security: Literal["tls", "none"] = "tls"
    """none: the password and the messages are readable on the way; for a tunnel, or a centre on this machine."""
    system_id: str = Field(pattern=r"^[\x21-\x7e]{1,15}$")
    password: SecretStr
    """At most 8 characters (SMPP 3.4, 5.2.2)."""
    sender: str = Field(pattern=r"^([\x20-\x7e]{1,11}|\+?[0-9]{1,20})$")
    """A name of up to 11 characters, a short code, or a number with `+`."""
    long_messages: Literal["parts", "payload"] = "parts"
    """parts: a message that does not fit is cut here; payload: it is sent whole and the centre cuts it, if it can."""
    enquire_every: float = Field(default=30.0, ge=0.1, le=600)
    """Seconds of silence after which the centre is asked whether it is there."""
    per_minute: int = Field(default=600, ge=1)
    timeout: float = Field(default=20.0, ge=0.1, le=120)
    """Seconds to connect and bind, and again for the answer to each message."""

    @field_validator("password")
    @classmethod
    def _fits(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().isascii() or len(value.get_secret_value()) > 8:
            raise ValueError("an SMPP password is at most 8 ASCII characters; ask the centre for one that fits")
        return value


OutgoingSms: TypeAlias = Annotated[SmsGateway | SmppCenter, Field(discriminator="kind")]
"""The way short messages go out."""


class OutgoingWebhook(BaseModel):
    """One address that robots may call (R3), its signature by Standard Webhooks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """https; http only to this machine, with `allow_private`."""
    secret: SecretStr
    """Signs each call: `whsec_` and 24 to 64 bytes in base64."""
    allow_private: bool = False
    """Whether the address may be of this machine or of a private network. Never link-local or a cloud's metadata."""
    per_minute: int = Field(default=600, ge=1)
    timeout: float = Field(default=20.0, ge=0.1, le=120)
    """Seconds for one call, from the look-up of the name to the end of the answer."""

    @field_validator("secret")
    @classmethod
    def _decodes(cls, value: SecretStr) -> SecretStr:
        _webhook_key(value)
        return value

    @model_validator(mode="after")
    def _safe(self) -> OutgoingWebhook:
        _outgoing_url(self.url, plain_allowed=self.allow_private)
        return self

    @cached_property
    def key(self) -> bytes:
        """The bytes that sign."""
        return _webhook_key(self.secret)


class Settings(BaseSettings):
    """Settings by their environment names. `leadline up` fills them for its children; an operator sets them on a cluster."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True)

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP")
    kafka_topic_prefix: str = Field(default="", validation_alias="KAFKA_TOPIC_PREFIX")
    """Put before every topic name, so that tenants may share a cluster."""
    instance: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9._\-]{1,100}$", validation_alias="LEADLINE_INSTANCE"
    )
    """This process's own name among those of its service, the same after a restart (a pod's name in a StatefulSet): it then goes
    on with its partitions at once. Never give one name to two processes at a time. Unset: a new member at each start."""
    kafka_replication: int = Field(default=1, ge=1, validation_alias="KAFKA_REPLICATION")
    kafka_partitions: int = Field(default=24, ge=1, validation_alias="KAFKA_PARTITIONS")

    database_url: SecretStr = Field(
        default=SecretStr("postgresql://leadline@127.0.0.1:5432/leadline"), validation_alias="DATABASE_URL"
    )
    database_bi_url: SecretStr = Field(
        default=SecretStr("postgresql://leadline_bi@127.0.0.1:5432/leadline"), validation_alias="DATABASE_BI_URL"
    )

    http_host: str = Field(default="127.0.0.1", validation_alias="LEADLINE_HTTP_HOST")
    http_port: int = Field(default=8080, ge=0, le=65535, validation_alias="LEADLINE_HTTP_PORT")
    leads_url: str = Field(default="http://127.0.0.1:8081", validation_alias="LEADLINE_LEADS_URL")
    """Where the command door of the aggregate service listens (inside the trust boundary; `internal_token` guards it)."""
    metrics_host: str = Field(default="127.0.0.1", validation_alias="LEADLINE_METRICS_HOST")
    metrics_port: int = Field(default=0, ge=0, le=65535, validation_alias="LEADLINE_METRICS_PORT")
    """Health and metrics of a service without a web page of its own; 0: any free port, printed in its log."""
    internal_token: SecretStr = Field(default=SecretStr(""), validation_alias="LEADLINE_INTERNAL_TOKEN")

    master_key: SecretStr = Field(default=SecretStr(""), validation_alias="LEADLINE_MASTER_KEY")
    """32 bytes in base64: wraps the keys of persons and raw messages."""
    pepper: SecretStr = Field(default=SecretStr(""), validation_alias="LEADLINE_PEPPER")
    """32 bytes in base64: keys the HMACs under which identities are looked up."""

    default_region: str = Field(default="RU", validation_alias="LEADLINE_DEFAULT_REGION")
    """ISO 3166 region in which a phone without a country code is read."""
    default_pipeline: str = Field(default="classic", validation_alias="LEADLINE_DEFAULT_PIPELINE")
    responsibles: list[str] = Field(default_factory=list, validation_alias="LEADLINE_RESPONSIBLES")
    """Names that take new leads in turn, a JSON list; none: leads wait unassigned."""
    open_forms: list[str] = Field(default_factory=list, validation_alias="LEADLINE_OPEN_FORMS")
    """Forms that may be posted without a token, a JSON list; `*` opens all."""
    smtp_host: str = Field(default="127.0.0.1", validation_alias="LEADLINE_SMTP_HOST")
    smtp_port: int | None = Field(default=None, ge=0, le=65535, validation_alias="LEADLINE_SMTP_PORT")
    """Where the door listens for mail; unset: it does not. 0: any free port, printed in its log."""
    smtp_letters_per_minute: int = Field(default=600, ge=1, validation_alias="LEADLINE_SMTP_LETTERS_PER_MINUTE")
    """From one address; the company's own mail server in front is one."""
    mail_addresses: list[str] = Field(default_factory=list, validation_alias="LEADLINE_MAIL_ADDRESSES")
    """The company's addresses, a JSON list: an address, `@domain` for all of it, or `*` for whatever is delivered."""
    mail_id_domain: str = Field(default="leadline.invalid", validation_alias="LEADLINE_MAIL_ID_DOMAIN")
    """Right side of the Message-IDs we make: a letter that comes in with one is our own, and is refused."""
    mailboxes: list[Mailbox] = Field(default_factory=list, validation_alias="LEADLINE_MAILBOXES")
    """Mailboxes to poll by IMAP, a JSON list (docs/howto/mail.md)."""
    staff: list[Colleague] = Field(default_factory=list, validation_alias="LEADLINE_STAFF")
    """Our people, a JSON list of name, role (seller or head) and e-mail: who gets the notices of robots."""
    company: dict[str, str] = Field(default_factory=dict, validation_alias="LEADLINE_COMPANY")
    """What letters say of us, a JSON object: name, address, phone, email, site, signature."""
    delivery_patience_hours: float = Field(
        default=72.0, gt=0, le=24 * 60, validation_alias="LEADLINE_DELIVERY_PATIENCE_HOURS"
    )
    """How long an outward effect is tried before it is given up and shown to a person."""

    mail_out: OutgoingMail | None = Field(default=None, validation_alias="LEADLINE_MAIL_OUT")
    """How letters go out, JSON (docs/howto/send-mail.md); unset: they wait."""
    public_url: str | None = Field(default=None, validation_alias="LEADLINE_PUBLIC_URL")
    """Where the door is seen from outside, for links in letters; unset: letters carry none."""

    sms_out: OutgoingSms | None = Field(default=None, validation_alias="LEADLINE_SMS_OUT")
    """How short messages go out, a JSON object (docs/howto/send-sms.md); unset: they do not."""
    webhooks: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$")], OutgoingWebhook] = Field(
        default_factory=dict, validation_alias="LEADLINE_WEBHOOKS"
    )
    """Addresses that robots may call, a JSON object by name (docs/howto/webhooks.md)."""
    open_visits: bool = Field(default=False, validation_alias="LEADLINE_OPEN_VISITS")
    """Whether visits may be posted without a token, as a page's own script does."""
    rate_token: float = Field(default=200.0, ge=0, validation_alias="LEADLINE_RATE_TOKEN")
    """Inbound messages a second of one token, on the average; 0: no limit."""
    rate_token_burst: int = Field(default=2_000, ge=1, validation_alias="LEADLINE_RATE_TOKEN_BURST")
    rate_peer: float = Field(default=5.0, ge=0, validation_alias="LEADLINE_RATE_PEER")
    """The same of one address (of IPv6: one /64 network) that posts without a token."""
    rate_peer_burst: int = Field(default=100, ge=1, validation_alias="LEADLINE_RATE_PEER_BURST")
    language: str = Field(default="ru", pattern="^(ru|en)$", validation_alias="LEADLINE_LANGUAGE")
    funnel_grace_hours: int = Field(default=24, ge=1, le=24 * 92, validation_alias="LEADLINE_FUNNEL_GRACE_HOURS")
    """How long after its end a period's report is closed: what is recorded later is shown beside it (docs/howto/funnel.md)."""
    time_zone: str = Field(default="Europe/Moscow", validation_alias="LEADLINE_TIME_ZONE")

    clock: datetime | None = Field(default=None, validation_alias="LEADLINE_CLOCK")
    """Set only in a practice system (`leadline up --clock T`): the moment its own clock starts at."""

    log_level: str = Field(default="info", validation_alias="LEADLINE_LOG_LEVEL")
    stop_within: float = Field(default=15.0, gt=0, validation_alias="LEADLINE_STOP_WITHIN")
    """Seconds a service may take to finish its running batch when told to stop."""

    @field_validator("staff")
    @classmethod
    def _each_once(cls, value: list[Colleague]) -> list[Colleague]:
        names = [colleague.name for colleague in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"LEADLINE_STAFF names {', '.join(twice)} more than once")
        return value

    @field_validator("clock")
    @classmethod
    def _aware(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("LEADLINE_CLOCK needs a time zone, for example 2026-11-22T09:00:00+03:00")
        return value

    @field_validator("public_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        visible = value.isascii() and value.isprintable() and not set(value) & set(' <>,;"')
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or not visible:
            raise ValueError("LEADLINE_PUBLIC_URL is an address like https://leads.example.org, without ? and #")
        return value.rstrip("/")

    @cached_property
    def master_key_bytes(self) -> bytes:
        """The master key. Raises ValueError naming the setting when it is missing or not 32 bytes."""
        return _secret32("LEADLINE_MASTER_KEY", self.master_key)

    @cached_property
    def pepper_bytes(self) -> bytes:
        """The pepper. Raises ValueError naming the setting when it is missing or not 32 bytes."""
        return _secret32("LEADLINE_PEPPER", self.pepper)


def _secret32(name: str, value: SecretStr) -> bytes:
    try:
        raw = base64.b64decode(value.get_secret_value(), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise ValueError(f"{name} must be 32 bytes in base64; make one with: openssl rand -base64 32")
    return raw


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _webhook_key(secret: SecretStr) -> bytes:
    try:
        raw = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not 24 <= len(raw) <= 64:
        raise ValueError('must be 24 to 64 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 24)"')
    return raw


def _outgoing_url(url: str, *, plain_allowed: bool) -> str:
    """The URL, or ValueError saying what is wrong with it, without repeating it: its path may be a secret."""
    try:
        parts = urlsplit(url)
        port_is_right = parts.port != 0  # reading it raises ValueError on what is no port
    except ValueError:
        raise ValueError("is no URL; it looks like https://host/path") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_right or parts.fragment:
        raise ValueError("is no URL to post to; it looks like https://host/path")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError("must be ASCII without spaces; write the host in punycode and the path percent-encoded")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or a password")
    if parts.scheme == "http":
        if not _is_this_machine(parts.hostname):
            raise ValueError("must be https: plain http is for this machine only (127.0.0.1, ::1, localhost)")
        if not plain_allowed:
            raise ValueError("must be https, or allow_private must be true: it leads to this machine")
    return url
