"""The guard against calls into our own network (R3), against the standard library and RFC 6890."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.addresses import INTERNAL, METADATA, not_public

NOT_GLOBAL = [
    # RFC 6890, 2.2.2 and 2.2.3, and what the registries added since; multicast of RFC 5771 and RFC 4291
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "::1/128", "::/128", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0/96", "100::/64", "100:0:0:1::/64", "2001::/23",
    "2001::/32", "2001:2::/48", "2001:db8::/32", "2001:10::/28", "2001:20::/28", "2002::/16", "3fff::/20", "5f00::/16",
    "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "77.88.8.8", "1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255",
          "100.128.0.0", "169.253.255.255", "169.255.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255", "9.255.255.255",
          "11.0.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "2606:4700:4700::1111",
          "2a02:6b8::feed:ff", "2001:200::1", "2001:4860:4860::8888", "2003::1"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_R3_a_public_address_may_be_reached(address: str) -> None:
    assert not_public(address) is None


@given(st.sampled_from(NOT_GLOBAL).flatmap(lambda network: st.ip_addresses(network=network)))
def test_R3_no_special_purpose_address_is_reached(address: IPv4Address | IPv6Address) -> None:
    assert not_public(str(address)) is not None


@pytest.mark.parametrize("network", NOT_GLOBAL)
def test_R3_both_ends_of_each_special_network_are_closed(network: str) -> None:
    assert not_public(str(ip_network(network)[0])) is not None
    assert not_public(str(ip_network(network)[-1])) is not None


@given(st.ip_addresses())
def test_R3_what_may_be_reached_the_standard_library_calls_global(address: IPv4Address | IPv6Address) -> None:
    if not_public(str(address)) is None:
        assert address.is_global
        assert not any(
            (
                address.is_private,
                address.is_loopback,
                address.is_link_local,
                address.is_multicast,
                address.is_unspecified,
                address.is_reserved,
            )
        )


@given(st.ip_addresses(v=4))
def test_R3_what_the_standard_library_calls_global_may_be_reached(address: IPv4Address) -> None:
    known = {ip_address("168.63.129.16"), *ip_network("192.88.99.0/24"), *ip_network("192.0.0.0/24")}
    if address.is_global and not address.is_multicast and address not in known:
        assert not_public(str(address)) is None


@given(st.ip_addresses(v=4), st.integers(0, 2**80 - 1))
def test_R3_an_ipv4_address_inside_an_ipv6_one_is_never_reached(carried: IPv4Address, rest: int) -> None:
    low = int(carried)
    for prefix in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not_public(str(IPv6Address(int(IPv6Address(prefix)) | low))) is not None
    assert not_public(str(IPv6Address((0x2002 << 112) | (low << 80) | rest))) == "embedded"
    assert not_public(str(IPv6Address((0x20010000 << 96) | (rest & (2**64 - 1)) << 32 | low))) == "embedded"


@given(st.ip_addresses(network="2000::/3"))
def test_R3_ipv6_outside_of_what_is_given_out_is_never_reached(address: IPv6Address) -> None:
    assert address in IPv6Network("2000::/3")
    assert not_public(str(IPv6Address(int(address) ^ (1 << 127)))) is not None
    assert not_public(str(IPv6Address(int(address) ^ (1 << 126)))) is not None


@pytest.mark.parametrize("address", sorted(map(str, METADATA)))
def test_R3_metadata_is_reached_by_no_permission(address: str) -> None:
    assert not_public(address) == "metadata"
    assert "metadata" not in INTERNAL


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("fd12::1", "private"),
        ("100.64.0.1", "carrier_nat"),
        ("169.254.1.1", "link_local"),
        ("fe80::1%eth0", "link_local"),
        ("224.0.0.1", "multicast"),
        ("0.0.0.0", "unspecified"),  # noqa: S104
        ("::", "unspecified"),
        ("::ffff:8.8.8.8", "embedded"),
        ("fd00:ec2::254%eth0", "metadata"),
        ("192.0.2.1", "reserved"),
        ("4000::1", "reserved"),
        ("2130706433", "unreadable"),
        ("localhost", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_R3_the_guard_names_the_kind(address: str, kind: str) -> None:
    assert not_public(address) == kind
