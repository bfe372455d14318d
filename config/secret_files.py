"""Values from files: ``PARLEY_<NAME>_FILE`` names a file that holds what ``PARLEY_<NAME>`` would say.

So a secret that the platform mounts as a file never stands in an environment, where every process and crash report of
the machine could find it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

_SUFFIX = "_file"
# Settings of their own whose name happens to end like that.
_NOT_A_VALUE = ("parley_personas_file",)


class SettingsError(Exception):
    """The settings cannot be used. The text lists every fault with its variable, never a value."""


class Environment(EnvSettingsSource):
    """The variables of the process, with values from files."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return _with_files(super()._load_env_vars(), self.env_prefix.lower())


class EnvironmentFile(DotEnvSettingsSource):
    """The lines of ``.env``, with values from files."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return _with_files(super()._load_env_vars(), self.env_prefix.lower())


def with_password(url: str, password: str) -> str:
    """The URL with the password in its place, quoted. Raises ``ValueError`` when it holds one already."""
    scheme, separator, rest = url.partition("://")
    login, _, host = rest.rpartition("@")
    if ":" in login:
        raise ValueError("the URL holds a password already: give it once")
    return f"{scheme}{separator}{login}:{quote(password, safe='')}@{host}" if separator else url


def _with_files(variables: Mapping[str, str | None], prefix: str) -> Mapping[str, str | None]:
    merged = dict(variables)
    for variable, file in variables.items():
        name = variable.lower()
        if not file or not name.startswith(prefix) or not name.endswith(_SUFFIX) or name in _NOT_A_VALUE:
            continue
        target = variable[: -len(_SUFFIX)]
        if merged.get(target):
            raise SettingsError(f"{target.upper()} and {variable.upper()} are both set: give one of them")
        try:
            merged[target] = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SettingsError(f"{variable.upper()}: {file} cannot be read: {said}") from None
        del merged[variable]
    return merged
