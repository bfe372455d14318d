"""What the scripts know of the vocabulary, as Lua definitions made from ``domain.vocabulary``: said once for both."""

from __future__ import annotations

from collections.abc import Iterable

from worker.domain.vocabulary import KINDS, Cause, KindRules, is_outreach, stored

# Why an opener or a follow-up waits for a better moment.
_MOMENTS = (Cause.QUIET_HOURS, Cause.RAMP, Cause.FREQUENCY_CAP)
# As 0.1.0 stored that a conversation waits for a call with its key.
_OWN_LIMIT_OF_0_1_0 = "the key's own limit of calls"


# The fields of a conversation that a turn is told when it begins.
TOLD_TO_TURNS = (
    *("channel", "started", "sealed", "owned_elsewhere", "taken_over", "consent", "last_inbound", "inbound_seq"),
    *("plan", "plan_step", "quiet_from", "touches", "touch_at", "touch_rule", "touch_requested", "last_words"),
)


def words() -> str:
    """Definitions that stand in front of ``lua/lib/prelude.lua``: a script carries those that it uses.

    ``speaks_first(kind)``; ``is_outreach(kind)``: it needs the lead's consent; ``for_its_moment(reason)``: a hold of an
    opener or a follow-up for a better moment, which is not kept from what comes in meanwhile; ``for_a_place(reason)``:
    a hold for a call with the key of the persona; ``asks(kind)``: its turn calls the persona; ``only_told(kind)``:
    nothing is said to the lead; ``happened(kind)``: it happened on the platform, and an opener or a follow-up that
    waits for a better moment gives way to it; ``by_operator(kind)``: a person says it in the persona's place;
    ``told_to_turns(conversation)``: values of its fields ``TOLD_TO_TURNS``.
    """
    speaks_first = [kind for kind, rules in KINDS.items() if rules.speaks_first]
    outreach = [kind for kind in KINDS if is_outreach(kind)]
    return "".join(
        (
            _is_one_of("speaks_first", "kind", speaks_first),
            _is_one_of("is_outreach", "kind", outreach),
            _is_none_of("asks", "kind", [kind for kind, rules in KINDS.items() if not rules.asks]),
            _is_one_of("only_told", "kind", [kind for kind, rules in KINDS.items() if rules.only_told]),
            _is_one_of("by_operator", "kind", [kind for kind, rules in KINDS.items() if rules.by_operator]),
            _is_one_of("happened", "kind", [kind for kind, rules in KINDS.items() if _happened(kind, rules)]),
            _told(TOLD_TO_TURNS),
            _is_one_of("for_its_moment", "reason", map(stored, _MOMENTS)),
            _is_one_of("for_a_place", "reason", [*map(stored, (Cause.OWN_LIMIT, Cause.IN_LINE)), _OWN_LIMIT_OF_0_1_0]),
        )
    )


def _told(fields: Iterable[str]) -> str:
    names = ", ".join(f'"{field}"' for field in fields)
    return f"local function told_to_turns(key)\n  return redis.call('HMGET', key, {names})\nend\n"


def _is_none_of(name: str, argument: str, values: Iterable[str]) -> str:
    tests = " and ".join(f'{argument} ~= "{value}"' for value in values)
    return f"local function {name}({argument})\n  return {tests}\nend\n"


def _happened(kind: str, rules: KindRules) -> bool:
    return kind != "inbound_chat" and not rules.speaks_first and not rules.by_operator


def _is_one_of(name: str, argument: str, values: Iterable[str]) -> str:
    tests = " or ".join(f'{argument} == "{value}"' for value in values)
    return f"local function {name}({argument})\n  return {tests}\nend\n"
