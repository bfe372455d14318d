"""Values from files: ``PARLEY_<NAME>_FILE`` names a file that holds what ``PARLEY_<NAME>`` would say.

So a secret that the platform mounts as a file is never in the environment, where processes and crash reports of the
machine could find it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote


class SettingsError(Exception):
    """The settings cannot be used. The text lists every fault with its variable, never a value."""


def with_password(url: str, password: str) -> str:
    """The URL with the password in its place, quoted. Raises ``ValueError`` when it holds one already."""
    scheme, separator, rest = url.partition("://")
    login, _, host = rest.rpartition("@")
    if ":" in login:
        raise ValueError("the URL holds a password already: give it once")
    return f"{scheme}{separator}{login}:{quote(password, safe='')}@{host}" if separator else url


_SUFFIXES = (".cer", ".crt", ".db", ".env", ".json", ".key", ".pem", ".toml", ".txt")
# Of base64, of PEM and of JSON.
_OF_NO_PATH = re.compile(r"[=+{]|-----")
_MOST_SHOWN_CHARACTERS = 255


def shown(file: Path) -> str:
    """A path for people. Not what may be a secret, or the content of a file, that was given in place of its path."""
    text = str(file)
    is_path = text.isprintable() and len(text) <= _MOST_SHOWN_CHARACTERS and not _OF_NO_PATH.search(text)
    known = text.startswith("/") or text.endswith(_SUFFIXES) or ("/" in text and os.path.isdir(file.parent))
    return text if is_path and known else "the path that is given"


def text_of(file: Path) -> str:
    """The text of a file, without a byte order mark. Raises ``ValueError`` with the reason and the cure."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{shown(file)} cannot be read: it is not UTF-8 text; save it as UTF-8") from None
    except IsADirectoryError:
        # What a container engine makes of a mount whose source does not exist.
        raise ValueError(f"{shown(file)} cannot be read: it is a folder; put a file in its place") from None
    except PermissionError as error:
        raise ValueError(f"{shown(file)} cannot be read: {error.strerror}; let this user read it") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "its name is no path"
        raise ValueError(f"{shown(file)} cannot be read: {said}; correct the path") from None
