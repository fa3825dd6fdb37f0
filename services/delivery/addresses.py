"""Which network addresses a webhook may reach: the guard against calls into our own network (SSRF). Pure.

Invariants: an address is reached only if nothing below names it; what is not clearly an address of the public internet is
not one. IPv6 addresses that carry an IPv4 address are never public, whatever they carry: the carried one would be reached
past this list. Sources: RFC 6890 and the IANA special-purpose registries it founded; the clouds' documents for `METADATA`.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

Kind = Literal[
    "loopback",
    "private",
    "carrier_nat",
    "link_local",
    "multicast",
    "unspecified",
    "metadata",
    "embedded",
    "reserved",
    "unreadable",
]
"""Why an address is not of the public internet."""

INTERNAL: Final[frozenset[Kind]] = frozenset({"loopback", "private", "carrier_nat"})
"""What a webhook with `allow_private` may reach; no webhook reaches the others."""

METADATA: Final = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, Yandex, VK, OpenStack
            "169.254.170.2",  # AWS ECS
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure's host: a public address that leads to the machine's own host
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",  # AWS
            "fd20:ce::254",  # Google
        ),
    )
)
"""Where clouds hand a machine its credentials. First of all, for some of them lie in networks that may be allowed."""

_BY_KIND: Final[dict[Kind, tuple[str, ...]]] = {
    "unspecified": ("0.0.0.0/32", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
    "carrier_nat": ("100.64.0.0/10",),
    "link_local": ("169.254.0.0/16", "fe80::/10"),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    # IPv4-compatible, -mapped and -translated; both NAT64 prefixes; Teredo; 6to4 and its relays
    "embedded": (
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
        "192.88.99.0/24",
    ),
    # «this network», IETF protocols, benchmarks, documentation, the future; all other of IPv6 is outside of `_GLOBAL_UNICAST`
    "reserved": (
        "0.0.0.0/8",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    ),
}
_NETWORKS: Final[tuple[tuple[IPv4Network | IPv6Network, Kind], ...]] = tuple(
    (ip_network(network), kind) for kind, networks in _BY_KIND.items() for network in networks
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA gives out of IPv6; the rest is reserved."""


def not_public(address: str) -> Kind | None:
    """Why an address, as the resolver writes it, is not of the public internet; None: it is."""
    try:
        given = ip_address(address)
    except ValueError:
        return "unreadable"
    return _kind(given)


def _kind(address: IPv4Address | IPv6Address) -> Kind | None:
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        address = IPv6Address(int(address))  # a zone (fe80::1%eth0) changes no network
    if address in METADATA:
        return "metadata"
    for network, kind in _NETWORKS:
        if address.version == network.version and address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None
