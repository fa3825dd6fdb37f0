"""Every setting of every service, read from the environment once.

Invariants: no secret has a default that works outside the demo; a missing or malformed setting stops the start with its
name. Nothing here is ever logged whole: secrets are `SecretStr`.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ways_out import AudienceAccount, OutgoingMail, OutgoingSms, OutgoingWebhook


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

    demo_mail_port: int | None = Field(default=None, ge=1, le=65535, validation_alias="LEADLINE_DEMO_MAIL_PORT")
    """Set by `leadline up --demo`: where the door takes letters and makes files of them; unset: it does not."""
    sms_out: OutgoingSms | None = Field(default=None, validation_alias="LEADLINE_SMS_OUT")
    """How short messages go out, a JSON object (docs/howto/send-sms.md); unset: they do not."""
    webhooks: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$")], OutgoingWebhook] = Field(
        default_factory=dict, validation_alias="LEADLINE_WEBHOOKS"
    )
    """Addresses that robots may call, a JSON object by name (docs/howto/webhooks.md)."""
    audiences: list[AudienceAccount] = Field(default_factory=list, validation_alias="LEADLINE_AUDIENCES")
    """Accounts at ad services whose audiences robots change, a JSON list, one of each service (docs/howto/ad-audiences.md)."""
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
    robots_outcome_within: float = Field(
        default=60.0, ge=1.0, le=3600.0, validation_alias="LEADLINE_ROBOTS_OUTCOME_WITHIN"
    )
    """Seconds to wait for what became of a timer that was fired; then it is sent again, after twice as long each time, at most an
    hour."""

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

    @field_validator("audiences")
    @classmethod
    def _one_of_each_service(cls, value: list[AudienceAccount]) -> list[AudienceAccount]:
        services = [account.service for account in value]
        if twice := sorted({service for service in services if services.count(service) > 1}):
            raise ValueError(f"LEADLINE_AUDIENCES names {', '.join(twice)} more than once: one account of each service")
        return value

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
