"""Certificates for servers on loopback and their clients, made anew each time and good for a day."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


class NoOpenSSL(RuntimeError):
    """This machine has no program ``openssl``."""


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


def make(directory: Path) -> Certificates:
    """Make them in ``directory``. Raises ``NoOpenSSL``."""
    program = shutil.which("openssl")
    if program is None:
        raise NoOpenSSL("no openssl found: install it (Debian: apt-get install openssl)")
    ca = Pair(directory / "ca.pem", directory / "ca.key")
    _run(program, "req", "-x509", *_new_key(ca.key), "-days", "1", "-subj", "/CN=Test CA", "-out", str(ca.certificate))
    return Certificates(
        ca.certificate,
        _signed(program, ca, directory / "server", "IP:127.0.0.1"),
        _signed(program, ca, directory / "stranger", "DNS:stranger.example"),
        _signed(program, ca, directory / "client", "DNS:parley.example"),
    )


def _signed(program: str, ca: Pair, stem: Path, name: str) -> Pair:
    pair, request, extensions = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key")), f"{stem}.csr", f"{stem}.ext"
    _run(program, "req", *_new_key(pair.key), "-subj", f"/CN={stem.name}", "-out", request)
    Path(extensions).write_text(f"subjectAltName={name}\n")
    signer = ("-CA", str(ca.certificate), "-CAkey", str(ca.key), "-CAcreateserial", "-days", "1")
    _run(program, "x509", "-req", "-in", request, *signer, "-extfile", extensions, "-out", str(pair.certificate))
    return pair


def _new_key(file: Path) -> tuple[str, ...]:
    return ("-newkey", "rsa:2048", "-nodes", "-keyout", str(file))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
