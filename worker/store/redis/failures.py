"""What an error of Redis says: the store cannot serve now, or this one call cannot succeed. Pure."""

from __future__ import annotations

import re

from redis import exceptions

# The store as a whole cannot do it now: the same call succeeds when it can again.
_NOT_NOW = (
    exceptions.ReadOnlyError,
    exceptions.ClusterError,
    exceptions.TryAgainError,
    exceptions.AskError,
    exceptions.OutOfMemoryError,
    exceptions.NoScriptError,
    exceptions.ExecAbortError,
    exceptions.NoPermissionError,
)
_CODES_NOT_NOW = re.compile(
    "ASK|BUSY|CLUSTERDOWN|EXECABORT|INPROG|LOADING|MASTERDOWN|MISCONF|MOVED|NOAUTH|NOGOODSLAVE|NOMASTERLINK|NOPERM|"
    "NOREPLICAS|NOSCRIPT|OOM|READONLY|TRYAGAIN|UNBLOCKED|UNKILLABLE|WRONGPASS"
)
# redis-py takes some codes off the text.
_TEXTS_NOT_NOW = ("max number of clients", "used memory > 'maxmemory'", "against a read only replica")

# A pipeline puts its command in front, with its arguments.
_COMMAND = re.compile(r"^Command # \d+ \(.*?\) of pipeline caused error: ", re.DOTALL)
_CODE = re.compile(r"^-?([A-Z][A-Z0-9]+)\b")
# Redis 6.2 names the error of a command inside a script behind the place in the script.
_CODE_IN_SCRIPT = re.compile(r"@user_script: ?\d+: -?([A-Z][A-Z0-9]+) ")


def is_own_fault(error: BaseException) -> bool:
    """Whether the call that got this error fails again however often it is sent, while other calls succeed.

    Examples: WRONGTYPE, an error in a script, an argument that is too large. False when the store is unreachable, full,
    loading, failing over, or refuses writes or this user: the call is to be sent again later. False also for what is no
    error of Redis.
    """
    if isinstance(error, exceptions.DataError):
        # The client itself finds fault with what it was given.
        return True
    if not isinstance(error, exceptions.ResponseError) or isinstance(error, _NOT_NOW):
        return False
    text = _COMMAND.sub("", str(error))
    codes = (*_CODE.findall(text), *_CODE_IN_SCRIPT.findall(text))
    return not any(map(_CODES_NOT_NOW.fullmatch, codes)) and not any(words in text for words in _TEXTS_NOT_NOW)


def is_broken_connection(error: BaseException) -> bool:
    """Whether the connection ended, which a store that is unreachable causes, and an argument that is far too large."""
    return isinstance(error, exceptions.ConnectionError)


def code_of(error: BaseException) -> str:
    """The error in one word that can be shown anywhere: the code of the reply, or else the class of the error. Never
    its text, which can name keys."""
    if isinstance(error, exceptions.ResponseError):
        text = _COMMAND.sub("", str(error))
        codes = [code for code in (*_CODE_IN_SCRIPT.findall(text), *_CODE.findall(text)) if code != "ERR"]
        if codes:
            return str(codes[0])
    return type(error).__name__
