"""Certificates for servers on loopback and their clients, new each time and good for a day.

They are made with the package cryptography (the extra ``encryption``), so no program has to be installed.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# A clock may be a little behind that of whoever looks at the certificate.
_EARLIER, _LATER = timedelta(hours=1), timedelta(days=1)
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """Who signs (``ca``), who serves on 127.0.0.1 (``server``), who serves under another name (``stranger``), who calls
    (``client``)."""

    ca: Path
    server: Pair
    stranger: Pair
    client: Pair


@dataclass(frozen=True, slots=True)
class _Authority:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey


def make(directory: Path) -> Certificates:
    """Make them in ``directory``."""
    ca = _Authority(_named("Test CA"), _new_key())
    basic = x509.BasicConstraints(ca=True, path_length=0)
    own = _unsigned(ca.name, ca.name, ca.key).add_extension(basic, critical=True).add_extension(_SIGNS, critical=True)
    return Certificates(
        _write(directory / "ca", own.sign(ca.key, SHA256()), ca.key).certificate,
        _signed(ca, directory / "server", x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
        _signed(ca, directory / "stranger", x509.DNSName("stranger.example")),
        _signed(ca, directory / "client", x509.DNSName("parley.example")),
    )


def _signed(ca: _Authority, stem: Path, name: x509.GeneralName) -> Pair:
    key = _new_key()
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    unsigned = (
        _unsigned(_named(stem.name), ca.name, key)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(signer, critical=False)
    )
    return _write(stem, unsigned.sign(ca.key, SHA256()), key)


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LATER)
        .add_extension(own, critical=False)
    )


def _write(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
    pair.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
