"""Whether this is a moment to write to a lead: quiet hours, and the messaging window of the channel."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from worker.domain.cadence import MORNING_MS, Policy, closed_for, messaging_window
from worker.domain.decisions import Known
from worker.domain.quiet_hours import Window, window_of
from worker.domain.reasons import Reason
from worker.domain.reply import Reply
from worker.domain.retry import Tries
from worker.domain.vocabulary import is_outreach, rules_of
from worker.store import Store
from worker.store.conversations.leases import Lease
from worker.store.conversations.turn_steps import Grant


class Moments:
    """Looks at the clock for each turn. ``policies``: of each configured persona."""

    def __init__(self, store: Store, policies: Mapping[str, Policy], jitter: random.Random) -> None:
        self._store = store
        self._policies = policies
        self._jitter = jitter

    def known_unread(self, grant: Grant) -> Known:
        """What is known of the head without a look at what it says. How long it has waited is known then only of what
        does not keep quiet hours."""
        known = Known(
            sealed=grant.sealed,
            owned_elsewhere=grant.owned_elsewhere,
            lead_wrote=grant.lead_wrote,
            gives_way=grant.gives_way,
        )
        if self._keeps_quiet_hours(grant):
            return known
        return replace(known, waited_seconds=(grant.now - _accepted_at(grant)) / 1000)

    def known(self, grant: Grant, made: Tries) -> Known:
        """What is known before the head is asked. Raises ``StoreError``."""
        accepted_at, kind = _accepted_at(grant), grant.head.kind
        known = replace(self.known_unread(grant), tries=made)
        policy = self._policies[grant.conversation.persona]
        if is_outreach(kind):
            known = replace(known, closed=closed_for(policy, grant.touch, kind, grant.now))
        if not self._keeps_quiet_hours(grant):
            return known
        rules = policy.quiet_hours
        window = window_of(rules, grant.channel)
        if not isinstance(window, Window):
            waited_seconds = (grant.now - accepted_at) / 1000
            return replace(known, waited_seconds=waited_seconds, zone_unknown=window is not None)
        known = replace(known, waited_seconds=window.awake_ms(accepted_at, grant.now) / 1000)
        quiet_ms = window.ends(grant.now) - grant.now
        if not quiet_ms:
            return known
        # Spread, so that not all leads who waited for the morning get theirs in its first second.
        late_ms = self._jitter.uniform(0, MORNING_MS)
        others_wait = self._store.inbox.waiting(grant.conversation) > len(grant.entries)
        return replace(known, quiet_seconds=(quiet_ms + late_ms) / 1000, others_wait=others_wait)

    def _keeps_quiet_hours(self, grant: Grant) -> bool:
        kind, rules = grant.head.kind, self._policies[grant.conversation.persona].quiet_hours
        return rules_of(kind).speaks_first and (kind != "ai_opener" or rules.openers)

    def closed_for_sending(self, lease: Lease, reply: Reply) -> Reason | None:
        """Why a reply that is written to a lead who did not write is not sent any more; None = it is sent.

        A farewell is always sent: it is for the channel.
        """
        grant = lease.grant
        if reply.fate != "answered" or not is_outreach(grant.head.kind):
            return None
        policy = self._policies[grant.conversation.persona]
        return messaging_window(policy, grant.touch).closed_for_sending(lease.now())


def _accepted_at(grant: Grant) -> int:
    # Never later than now, though the clock may have stepped back.
    return min(grant.entries[-1].accepted_at, grant.now)
