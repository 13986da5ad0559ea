"""Deliveries go to the public Internet, and to nothing that a caller could not reach itself."""

from ipaddress import ip_address, ip_network

import pytest

from bentos.webhooks.addresses import RefusedUrl, Target, may_reach

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",  # carriers' NAT
    "100.100.100.200",  # a cloud's metadata
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # most clouds' metadata
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",  # Teredo
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not may_reach(ip_address(address), ())


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_reached(address: str) -> None:
    assert may_reach(ip_address(address), ())


def test_networks_of_the_operator_are_reached_and_no_others() -> None:
    networks = (ip_network("10.1.2.0/24"), ip_network("fd00::/64"))

    assert may_reach(ip_address("10.1.2.3"), networks)
    assert may_reach(ip_address("fd00::1"), networks)
    assert not may_reach(ip_address("10.1.3.3"), networks)
    assert not may_reach(ip_address("::ffff:10.1.2.3"), networks)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hospital.example",
        "//hospital.example/",
        "http://hospital.example/hook",
        "ftp://hospital.example/",
        "https:///hook",
        "https:hospital.example",
        "https://user:password@hospital.example/",
        "https://@hospital.example/",
        "https://hospital.example@10.0.0.1/",
        "https://hospital.example:22/",
        "https://hospital.example:0/",
        "https://hospital.example:99999/",
        "https://hospital.example:x/",
        "https://[::1/",
        "https://hospital..example/",
        "https://-hospital.example/",
        "https://hospital.example/#fragment",
        "https://hospital.example/a b",
        "https://hospital.example/a\r\nHost: x",
        "https://hospital.example\t/",
        "https://hospital.example\\@10.0.0.1/",
        "https://krankenhäuser.example/",
        "https://hospital%2eexample/",
        "https://hospital.example/" + "a" * 1024,
    ],
)
def test_url_that_is_not_plain_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(RefusedUrl) as refusal:
        Target.parse(url)

    assert not url or url not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hospital.example", Target("hospital.example", 443, "/")),
        ("https://HOSPITAL.example:443/a?b=c&d", Target("hospital.example", 443, "/a?b=c&d")),
        ("HTTPS://hospital.example:8443/%20", Target("hospital.example", 8443, "/%20")),
        ("https://[2606:4700::1111]/", Target("2606:4700::1111", 443, "/")),
        ("https://xn--krankenhuser-hcb.example/", Target("xn--krankenhuser-hcb.example", 443, "/")),
    ],
)
def test_plain_url_is_read(url: str, target: Target) -> None:
    assert Target.parse(url) == target


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "https://[::ffff:10.0.0.1]/"])
def test_address_in_place_of_a_name_is_refused_at_once(url: str) -> None:
    with pytest.raises(RefusedUrl):
        Target.parse(url).check(())


def test_address_in_a_network_of_the_operator_is_not_refused() -> None:
    Target.parse("https://10.0.0.1/").check((ip_network("10.0.0.0/8"),))
    Target.parse("https://hospital.example/").check(())
