"""Contacts as each ad service wants them: brought into its form, then hashed (R4). Pure.

Invariants: what leaves here is a hash in lower-case hex and nothing else; the same contact always becomes the same hash, so
that what was put in can be taken out; a phone that is not E.164, and what is no address, become nothing. Nothing here shows
itself in a log: a hash of a phone can be turned back by trying all phones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
ADDRESS: Final = re.compile(r"[^@]+@[^@]+")
GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True, repr=False)
class Hashed:
    """What a service is told of one person; both None: there is nothing to tell."""

    email: str | None
    phone: str | None

    def __bool__(self) -> bool:
        return self.email is not None or self.phone is not None


Hashing = Callable[[str | None, str | None], Hashed]
"""(phone in E.164, e-mail) → hashes."""


def for_facebook(phone: str | None, email: str | None) -> Hashed:
    """Meta, «Customer File Custom Audiences», «Hashing and Normalizing Data»: e-mail trimmed and in lower case; phone with its
    country code, digits alone, no leading zeros; SHA-256 in hex."""
    return Hashed(_sha256(_address(email)), _sha256(_digits(phone)))


def for_google(phone: str | None, email: str | None) -> Hashed:
    """Google, Data Manager API, «Format user data»: e-mail without whitespace and in lower case, of gmail.com and googlemail.com
    also without dots and without what follows a plus; phone in E.164, plus included; SHA-256 (`encoding` HEX)."""
    address = _address(email)
    if address is not None:
        local, domain = address.split("@")
        if domain in GMAIL:
            local = local.partition("+")[0].replace(".", "")
            address = f"{local}@{domain}" if local else None
    return Hashed(_sha256(address), _sha256(_e164(phone)))


def for_yandex(phone: str | None, email: str | None) -> Hashed:
    """Yandex Audience API, «Data requirements», «Data from the CRM»: phone with its country code, digits alone; e-mail in lower
    case; each hashed by itself with SHA-256 (new MD5 hashes are not taken since January 2025)."""
    return Hashed(_sha256(_address(email)), _sha256(_digits(phone)))


def for_vk(phone: str | None, email: str | None) -> Hashed:
    """VK Ads API, «RemarketingUsersList» (type `phones`, `emails`: «or their hashes»; error `invalid_md5`) and the help page
    «Data Source: User Lists»: phone as 79011234567, e-mail as example@mail.ru, each hashed with MD5."""
    return Hashed(_md5(_address(email)), _md5(_digits(phone)))


def _address(email: str | None) -> str | None:
    """The address without whitespace and in lower case, or None if it is none."""
    bare = "".join((email or "").split()).lower()
    return bare if ADDRESS.fullmatch(bare) and bare.isprintable() else None


def _e164(phone: str | None) -> str | None:
    bare = (phone or "").strip()
    return bare if E164.fullmatch(bare) else None


def _digits(phone: str | None) -> str | None:
    whole = _e164(phone)
    return None if whole is None else whole.removeprefix("+")


def _sha256(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _md5(text: str | None) -> str | None:
    return None if text is None else hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
