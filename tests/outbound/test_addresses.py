"""The tables of what may be dialled, address by address. No network, no database."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbound.addresses import (
    HARD_DENY,
    SOFT_DENY,
    Opening,
    Policy,
    normalise,
    openable,
    parse_openings,
    parse_url,
)
from outbound.errors import AddressRefused

EVERYTHING = Policy(
    openings=(
        Opening(ipaddress.ip_network("0.0.0.0/0"), 1, 65535),
        Opening(ipaddress.ip_network("::/0"), 1, 65535),
    )
)
NEVER = [
    "0.0.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.8",
    "192.0.0.192",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::ffff:169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "100::1",
    "4000::1",
    "5f00::1",
]
CLOSED = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "fc00::1",
    "fd12:3456::1",
    "2001:db8::1",
    "3fff::1",
    "2001:20::1",
]
OPEN = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.32.0.1",
    "100.128.0.1",
    "169.253.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
]


def judge(policy: Policy, address: str, port: int = 443, host: str = "x.example") -> str | None:
    return policy.why_not(host=host, address=ipaddress.ip_address(address), port=port)


@pytest.mark.parametrize("address", NEVER)
def test_nothing_opens_these(address):
    assert judge(Policy(), address)
    assert "never called" in judge(EVERYTHING, address)


@pytest.mark.parametrize("address", CLOSED)
def test_these_are_closed_until_opened(address):
    assert "no administrator has opened" in judge(Policy(), address)
    assert judge(EVERYTHING, address) is None


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_open(address):
    assert judge(Policy(), address) is None


def test_is_global_would_have_let_these_through():
    """Why the standard library's word is not taken: on some Pythons these are "global"."""
    for address in ("64:ff9b::7f00:1", "2002:7f00:1::", "::7f00:1", "192.0.0.8", "fec0::1"):
        assert judge(EVERYTHING, address)


def test_an_opening_is_for_its_network_port_and_name_alone():
    entry = Opening(ipaddress.ip_network("10.1.0.0/16"), 8000, 8010, "models.internal")
    policy = Policy(openings=(entry,))
    assert judge(policy, "10.1.2.3", 8005, "models.internal") is None
    assert judge(policy, "::ffff:10.1.2.3", 8005, "models.internal") is None
    assert judge(policy, "10.2.0.1", 8005, "models.internal")
    assert judge(policy, "10.1.2.3", 8011, "models.internal")
    assert judge(policy, "10.1.2.3", 8005, "evil.example")


def test_our_own_places_stay_closed_whatever_is_opened():
    policy = Policy(
        openings=EVERYTHING.openings,
        own_ports=frozenset({5432}),
        own=frozenset({("10.0.0.5", 6379), ("8.8.4.4", 443)}),
    )
    for address, port in (
        ("127.0.0.1", 5432),
        ("127.9.9.9", 5432),
        ("::1", 5432),
        ("::ffff:127.0.0.1", 5432),
        ("10.0.0.5", 6379),
        ("8.8.4.4", 443),
    ):
        assert "own" in judge(policy, address, port)
    assert judge(policy, "127.0.0.1", 5433) is None
    assert judge(policy, "10.0.0.5", 5432) is None


def test_one_bad_answer_among_good_ones_refuses_all():
    good, bad = ipaddress.ip_address("8.8.8.8"), ipaddress.ip_address("169.254.169.254")
    for answers in ([good, bad], [bad, good], []):
        with pytest.raises(AddressRefused):
            Policy().insist(host="x.example", port=80, answers=answers)
    assert Policy().insist(host="x.example", port=80, answers=[good]) == [good]


@given(st.ip_addresses())
def test_no_address_that_hides_a_closed_one_passes(address):
    """Whatever embeds an IPv4 address in a known way is judged by it, or refused altogether."""
    reason = Policy().why_not(host="x", address=address, port=80)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or [None])[0]
        if inner is not None and Policy().why_not(host="x", address=inner, port=80):
            assert reason
    if reason is None:
        for network, _ in HARD_DENY + SOFT_DENY:
            assert normalise(address) not in network


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "unix:///var/run/docker.sock",
        "//example.com/",
        "example.com",
        "http://",
        "http:///path",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com@evil.example/",
        "http://exam ple.com/",
        "http://example.com\r\nX: y/",
        "http://example.com\\@evil.example/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://１２７.0.0.1/",
        "http://127。0。0。1/",
        "http://exämple.com/",
        "http://" + "a" * 300 + "/",
        "http://example.com/" + "a" * 2000,
        "",
    ],
)
def test_what_is_no_plain_http_url_is_refused(url):
    with pytest.raises(AddressRefused):
        parse_url(url)


def test_what_a_url_points_at():
    target = parse_url("HTTPS://Models.Example.:8443/v1?q=1#f")
    assert (target.scheme, target.host, target.port) == ("https", "models.example", 8443)
    assert parse_url("http://[2606:4700::1]/").host == "2606:4700::1"
    assert parse_url("http://x.example").port == 80


def test_the_setting_is_read():
    first, second = parse_openings(" 127.0.0.1/32:18010-18030, [fd00:1::/32]:443 ,")
    assert (str(first.network), first.first_port, first.last_port) == ("127.0.0.1/32", 18010, 18030)
    assert (str(second.network), second.first_port, second.last_port) == ("fd00:1::/32", 443, 443)
    assert parse_openings("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8",
        "10.0.0.1/8:80",
        "10.0.0.0/8:0",
        "10.0.0.0/8:9-8",
        "10.0.0.0/8:70000",
        "x:80",
        "169.254.0.0/16:80",
        "0.0.0.0/0:80",
        "8.8.8.8/32:53",
        "::/0:80",
    ],
)
def test_a_bad_setting_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"\S"):
        parse_openings(text)


@pytest.mark.parametrize("network", ["127.0.0.1/32", "::1/128", "10.0.0.0/8", "fd00::/16"])
def test_private_ranges_can_be_opened(network):
    assert openable(ipaddress.ip_network(network)) is None


@pytest.mark.parametrize(
    "network", ["169.254.169.254/32", "fe80::/64", "::/96", "0.0.0.0/0", "10.0.0.0/7", "8.8.8.0/24"]
)
def test_other_ranges_cannot(network):
    assert openable(ipaddress.ip_network(network))
