"""Which addresses are the company's, and the thread a plus-address names (`leads+TOKEN@company`, RFC 5233).

Pure. Invariants: an entry is an address, `@domain` for all of a domain, or `*` for all there are; case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

EVERY = "*"
_TOKEN = re.compile(r"[A-Za-z0-9._\-]{1,128}")


@dataclass(frozen=True, slots=True)
class Company:
    """The company's addresses."""

    addresses: frozenset[str]
    domains: frozenset[str]
    every: bool

    @classmethod
    def of(cls, entries: Iterable[str]) -> Company:
        """From the setting's entries. Raises ValueError naming one that is neither an address, nor `@domain`, nor `*`."""
        addresses, domains, every = set(), set(), False
        for entry in entries:
            text = entry.strip().lower()
            local, at, domain = text.rpartition("@")
            if text == EVERY:
                every = True
            elif not at or not domain or any(c.isspace() for c in text) or "@" in local:
                raise ValueError(f"{entry!r} is neither an address, nor @domain, nor {EVERY}")
            elif local:
                addresses.add(text)
            else:
                domains.add(domain)
        return cls(frozenset(addresses), frozenset(domains), every)

    def takes(self, address: str) -> bool:
        """Whether letters to this address are the company's."""
        if self.every:
            return True
        base, _ = without_token(address)
        return base in self.addresses or base.rpartition("@")[2] in self.domains or address.lower() in self.addresses

    def written_to(self, letter: Iterable[str], envelope: Collection[str]) -> list[str]:
        """Those of the company's addresses a letter was written to: in its own order, then those only on the envelope.

        Where every address is taken, those in the domains it was delivered to count as the company's.
        """
        delivered = {address.lower().rpartition("@")[2] for address in envelope}
        shown = [
            address
            for address in letter
            if self.takes(address) and (not self.every or address.lower().rpartition("@")[2] in delivered)
        ]
        return list(dict.fromkeys([*shown, *envelope]))


def without_token(address: str) -> tuple[str, str | None]:
    """The address in lower case without its `+TOKEN`, and the token as written."""
    local, _, domain = address.rpartition("@")
    base, plus, token = local.partition("+")
    named = token if plus and _TOKEN.fullmatch(token) else None
    return f"{base if plus and base else local}@{domain}".lower(), named
