"""Faults that are put into the scripts to show that the exploration finds such."""

from __future__ import annotations

from simulation.explore.mutation import Mutation

# One for each of the promises that all others rest on: one turn at a time, only its holder ends it, a person is heard.
THREE = (
    Mutation(
        "begin",
        "if owner and number(state.lease_until) > now then",
        "if owner and number(state.lease_until) > now + lease_ms then",
        "a conversation is begun although another worker holds it",
    ),
    Mutation(
        "settle",
        "if owner ~= token or owner_fence ~= fence then",
        "if not owner then",
        "whoever settles ends the turn that is under way",
    ),
    Mutation(
        "record",
        "if unwanted or taken_over or redis.call",
        "if unwanted or redis.call",
        "an answer goes out although a person has the conversation",
    ),
)
