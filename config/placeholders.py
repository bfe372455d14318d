"""Placeholders in place of a secret. They are refused at once, before a lead gets no answer because of them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_KEY_PREFIX = "ft_sk_"

# A word between others: with whatever people put between words.
_WORDS = re.compile(
    r"replace[-_ ]?(me|this|with)|change[-_ ]?(me|this|it)|fill[-_ ]?(me|this|it)?[-_ ]?in|placeholder"
    r"|your[-_ ]?(\w+[-_ ])?(api[-_ ]?)?(key|token|secret|password)|(key|token|secret|password)[-_ ]?here"
    r"|(put|insert|enter|paste)[-_ ]?(your|the|my|a|key|api|it|here)|my[-_ ]?(api[-_ ]?)?(key|secret|password)$"
    r"|a-long-random"
)
_WHOLE = re.compile(
    r"todo|tbd|fixme|example|sample|dummy|none|null|undefined|api[-_ ]?key"
    # x, dots, stars; one character again and again; what marks a place in a template.
    r"|[x*.…_?#-]{2,}|(?P<same>.)(?P=same){3,}|<.*>|\$?\{.*\}|\$\(.*\)|\$\w+|%.*%|\[.*\]"
)


def is_placeholder(text: str) -> bool:
    """Whether a text is a placeholder that was not replaced by a secret."""
    plain = text.strip().casefold()
    rest = plain.removeprefix(_KEY_PREFIX)
    return not rest or bool(_WORDS.search(plain) or _WHOLE.fullmatch(rest))


def _no_placeholder(secret: SecretStr) -> SecretStr:
    if is_placeholder(secret.get_secret_value()):
        raise ValueError("is a placeholder, or empty: put the real value in its place")
    return secret


# A secret that the operator has to write.
Secret = Annotated[SecretStr, AfterValidator(_no_placeholder)]
