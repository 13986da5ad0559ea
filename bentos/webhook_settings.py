"""The settings of webhooks: whether gateways connect to callers' receivers, and to which."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import BaseModel, ConfigDict


class WebhookSettings(BaseModel):
    """Every setting of webhooks."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    webhooks: bool = False
    """Whether holders of API keys may have the ends of their jobs sent to an https URL of theirs.
    Gateways then connect to public addresses that callers name, on ports 443 and 8443."""
    webhook_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks of private addresses that webhooks may reach besides, as JSON: ["10.1.2.0/24"].
    Every caller may then have a POST sent to each address in them. Certificates of an own authority
    are trusted through SSL_CERT_FILE."""
