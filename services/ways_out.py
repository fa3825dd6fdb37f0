"""Accounts that the delivery service goes out by: a mail server, short messages, webhooks, ad services (R3, R4).

Each is a JSON setting of `services.settings`. Invariants: secrets are `SecretStr`; nothing secret goes in the clear but to a
server on this machine; a wrong value is told by its place and never repeated.
"""

from __future__ import annotations

import base64
import binascii
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

LOCAL_WITH_TOKEN = 27
"""What a local part may be long to have room for `+` and a UUID (RFC 5321 4.5.3.1.1: 64 octets)."""


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


def _no_secrets_in_the_clear(url: str) -> str:
    """The address, if what goes there is read by nobody on the way: https, or a server on this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}):
        raise ValueError("an address of a service must be https:// (http:// only to a server on this machine)")
    return url.rstrip("/")


ServiceUrl = Annotated[str, AfterValidator(_no_secrets_in_the_clear)]


class _AudienceAccount(BaseModel):
    """What the accounts of all ad services have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_minute: int = Field(default=60, ge=1)
    """Changes of audiences sent to this service a minute, at most; one change carries up to thousands of contacts."""


class VkAudiences(_AudienceAccount):
    """An account of VK Ads (ads.vk.com): its API client, and a refresh token that was issued for the account once."""

    service: Literal["vk"]
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    base_url: ServiceUrl = "https://ads.vk.com"
    per_minute: int = Field(default=10, ge=1)
    fill_removals: bool = True
    """Whether a removal of fewer than 25 contacts is filled up to the least that the service takes with identifiers that nobody
    can have, so that a refusal is obeyed at once (C7); False: it waits until 25 are together."""


class YandexAudiences(_AudienceAccount):
    """An account of Yandex Audience, by an OAuth token that may read and change its segments."""

    service: Literal["yandex"]
    token: SecretStr
    base_url: ServiceUrl = "https://api-audience.yandex.ru"
    per_minute: int = Field(default=5, ge=1)


class FacebookAudiences(_AudienceAccount):
    """A Meta ad account, by the token of a system user with `ads_management`."""

    service: Literal["facebook"]
    account: str = Field(pattern=r"^[0-9]+$")
    """Its number, without `act_`."""
    token: SecretStr
    version: str = Field(default="v25.0", pattern=r"^v[0-9]+\.[0-9]+$")
    base_url: ServiceUrl = "https://graph.facebook.com"


class GoogleAudiences(_AudienceAccount):
    """A Google Ads account, by an OAuth client of a Cloud project with the Data Manager API and a user's refresh token."""

    service: Literal["google"]
    account: str = Field(pattern=r"^[0-9]+$")
    """Its customer number, without dashes."""
    login_account: str | None = Field(default=None, pattern=r"^[0-9]+$")
    """The manager account through which the user reaches it, if so."""
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr
    consent: bool = False
    """Whether every contact that is put into an audience consented to ads and their personalization (asked for in the EEA)."""
    base_url: ServiceUrl = "https://datamanager.googleapis.com"
    token_url: ServiceUrl = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


AudienceAccount = Annotated[
    VkAudiences | YandexAudiences | FacebookAudiences | GoogleAudiences, Field(discriminator="service")
]


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
