"""The settings of the DICOM node, and of the route by which others store objects for it."""

import re
from ipaddress import ip_network
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
    model_validator,
)

from bentos.http.client_address import Networks
from bentos.settings_checks import variable_of
from chestxray.texts import LANGUAGES

AE_TITLE = r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?"
"""1 to 16 characters of the default repertoire without backslash, no space at either end (PS3.5,
6.2)."""
ANY_TITLE = "*"
WEB_ADDRESS = r"https?://([\w.-]+|\[[0-9A-Fa-f:]+\])(:\d{1,5})?(/[^\s?#@]*)?"
_TOKEN = re.compile(r"[!-~]*")
_PLAIN_PORT, _TLS_PORT = 104, 2762
"""IANA's ports of DICOM, and of DICOM over TLS."""


class Peer(NamedTuple):
    """Who may send: an AE title, and the networks that it calls from."""

    ae_title: str
    networks: Networks

    def admits(self, ae_title: str) -> bool:
        """Whether this is the title, or any will do."""
        return self.ae_title in (ANY_TITLE, ae_title)


class DicomDestination(NamedTuple):
    """The node that stores our objects."""

    ae_title: str
    host: str
    port: int
    tls: bool


class DicomSettings(BaseModel):
    """Every setting of the DICOM node."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    dicom_queue: str = ""
    """Folder of the DICOM objects that wait for their analysis, and of the results that wait to be
    sent: what is acknowledged is there. Empty: nothing is received, neither by `chestxray dicom`
    nor by STOW-RS. The images are kept until they are analysed; only our user can read them."""
    dicom_max_queue_bytes: PositiveInt = 8 * 2**30
    """Size limit of that folder; further objects are refused with out of resources until it is
    emptier."""
    dicom_max_age_hours: PositiveInt = 24
    """What could not be analysed or sent in this time goes into the folder `failed` of the queue,
    with the reason."""
    dicom_keep_failed_hours: PositiveInt = 168
    """What is in that folder is deleted after this time."""
    dicom_ae_title: str = Field(default="CHESTXRAY", pattern=f"^{AE_TITLE}$")
    """Our AE title, which others must call."""
    dicom_peers: tuple[str, ...] = ()
    """Who may send DICOM objects, as JSON: ["PACS@10.0.0.5", "*@10.1.0.0/16"]: AE title, or * for
    any, and the address or network that it calls from. STOW-RS has no AE titles, only these
    networks. Nobody else gets an association, or a response other than 403."""
    dicom_max_associations: int = Field(default=16, ge=1, le=256)
    """Hard limit of open associations; one peer address may hold half of them."""
    dicom_timeout_seconds: PositiveFloat = 30.0
    """Longest silence of a peer, in an association that it has opened or that we have."""
    dicom_tls_certificate: str = ""
    """File with the certificate chain (PEM) of the DICOM node. Empty: no TLS. Also shown to a
    destination that asks."""
    dicom_tls_key: str = ""
    """File with the private key of that certificate (PEM)."""
    dicom_tls_ca: str = ""
    """File with the certificates (PEM) of the authorities that peers and the destination must be
    certified by. Empty: peers need no certificate, and for the destination the system's hold."""
    dicom_service: str = Field(default="http://127.0.0.1:3000", pattern=f"^{WEB_ADDRESS}$")
    """Address of the service that analyses what the DICOM node receives."""
    dicom_service_key: SecretStr = SecretStr("")
    """API key for that service with the scope analyse, as `chestxray keys` makes it; needed where
    `anonymous` is false."""
    dicom_parallel: int = Field(default=4, ge=1, le=64)
    """Objects that the DICOM node has in analysis, or in transmission, at once."""
    dicom_destination: str = ""
    """Where results are sent: dicom://AETITLE@host:104, dicoms:// with TLS, or the base of a
    DICOMweb service, https://host/dicom-web."""
    dicom_destination_authorization: SecretStr = SecretStr("")
    """Value of the header Authorization for a DICOMweb service, such as Bearer and a token."""
    dicom_language: str = Field(default=LANGUAGES[0], pattern=f"^({'|'.join(LANGUAGES)})$")
    """Language of the words in the results."""

    @field_validator("dicom_peers")
    @classmethod
    def _peers_are_known(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        for each in peers:
            _peer(each)
        return peers

    @field_validator("dicom_destination")
    @classmethod
    def _destination_is_known(cls, address: str) -> str:
        if address.startswith(("dicom:", "dicoms:")):
            _destination(address)
        elif address and not re.fullmatch(WEB_ADDRESS, address):
            raise ValueError("must be dicom://AETITLE@host:port, or https:// with a host and path")
        return address

    @field_validator("dicom_service_key")
    @classmethod
    def _key_fits_into_a_header(cls, key: SecretStr) -> SecretStr:
        if not _TOKEN.fullmatch(key.get_secret_value()):
            raise ValueError("must be printable ASCII characters without a space")
        return key

    @model_validator(mode="after")
    def _certificate_has_key(self) -> Self:
        if bool(self.dicom_tls_certificate) != bool(self.dicom_tls_key):
            names = map(variable_of, ("dicom_tls_certificate", "dicom_tls_key"))
            raise ValueError(f"{' and '.join(names)} need each other")
        return self

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Who may send."""
        return tuple(map(_peer, self.dicom_peers))

    @property
    def dicom_node(self) -> DicomDestination | None:
        """The node that results are sent to; None where that is a DICOMweb service, or nobody."""
        if self.dicom_destination.startswith("dicom"):
            return _destination(self.dicom_destination)
        return None


def _peer(text: str) -> Peer:
    title, found, network = text.rpartition("@")
    if not found or not (title == ANY_TITLE or re.fullmatch(AE_TITLE, title)):
        raise ValueError(f"{text!r} is no peer; write AETITLE@address or AETITLE@network")
    return Peer(title, (ip_network(network),))


def _destination(address: str) -> DicomDestination:
    parts = urlsplit(address)
    title, found, _ = parts.netloc.rpartition("@")
    if not found or not parts.hostname or not re.fullmatch(AE_TITLE, title) or parts.path:
        raise ValueError("must be dicom://AETITLE@host:port")
    tls = parts.scheme == "dicoms"
    return DicomDestination(
        title, parts.hostname, parts.port or (_TLS_PORT if tls else _PLAIN_PORT), tls
    )
