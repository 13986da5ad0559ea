"""With the component, gateways may send to receivers on the Internet, and to nothing private."""

from ipaddress import ip_address, ip_network
from pathlib import Path

from bentos.settings_checks import variable_of
from bentos.webhooks.addresses import PORTS
from tests.k8s.rendering import Manifest, Mix, build, find, of_kind, write_mix

MIX: Mix = ("network-policies", "postgres", "object-store", "webhooks")


def test_webhooks_reach_public_addresses_alone_and_only_from_gateways(tmp_path: Path) -> None:
    manifests = build(write_mix(tmp_path, MIX))
    blocks = [
        (policy["metadata"]["name"], each["ipBlock"], [port["port"] for port in rule["ports"]])
        for policy in of_kind(manifests, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for each in rule.get("to", [])
        if "ipBlock" in each
    ]

    assert {(name, *ports) for name, _, ports in blocks} == {("gateway", *PORTS)}
    for private in ("10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "192.168.0.1", "::1"):
        assert not any(_is_in(private, block) for _, block, _ in blocks), private
    for public in ("8.8.8.8", "2606:4700::1111"):
        assert any(_is_in(public, block) for _, block, _ in blocks), public
    settings = find(manifests, "ConfigMap", "settings")["data"]
    assert settings[variable_of("webhooks")] == "True"


def _is_in(address: str, block: Manifest) -> bool:
    found, excepted = ip_address(address), block.get("except", [])
    return found in ip_network(block["cidr"]) and not any(
        found in ip_network(each) for each in excepted
    )
