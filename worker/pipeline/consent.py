"""What a turn does when the lead does not want its message, and when the lead says so."""

from __future__ import annotations

from collections.abc import Mapping

from config.consent import Consent
from worker.domain.decisions import Deliver, End, of_reply
from worker.domain.reply import Reply
from worker.domain.unreadable import Unreadable
from worker.domain.vocabulary import Cause, figures, is_outreach, rules_of, stored
from worker.store import Store
from worker.store.conversations.journal import Entry
from worker.store.conversations.turn_steps import Grant


class Consents:
    """The ends that consent brings. None of them calls the persona. ``rules``: of each persona."""

    def __init__(self, rules: Mapping[str, Consent], store: Store) -> None:
        self._store = store
        self._rules = rules

    def instead(self, grant: Grant) -> Deliver | End | None:
        """What takes the place of asking and delivering; None = the turn continues.

        A message that opts out gets its confirmation, if there is one, as long as nothing was said since.
        """
        head = grant.head
        if grant.unwanted:
            return self.unwanted(grant, grant.unwanted, head.reply)
        if not head.said or head.reply is not None:
            cause = self.of_lead(grant)
            return self.unwanted(grant, cause, head.reply) if cause else None
        text = self._rules[grant.conversation.persona].confirmation
        if text and head.said == "stop" and grant.consent == "out" and not grant.undecryptable:
            return Deliver(Reply(bubbles=(text,), fate="skipped", reason=stored(Cause.OPTED_OUT), mark=""))
        return End("skipped", Cause.OPTED_OUT)

    def of_lead(self, grant: Grant) -> Cause | None:
        """Why the lead does not want the head, as the lead has said to another persona; None = it is wanted.

        Costs a look at the lead's own mark, in the scope ``lead`` only. Raises ``StoreError``.
        """
        rules, head = self._rules[grant.conversation.persona], grant.head
        outreach, kind = is_outreach(head.kind), rules_of(head.kind)
        if kind.only_told:
            return None
        heeded = outreach or kind.by_operator or rules.later_messages == "silence"
        if rules.scope == "persona" or head.said or not heeded:
            return None
        mark = self._store.consents.of_lead(grant.conversation.target)
        if mark and mark.state == "out":
            return Cause.OPTED_OUT
        listed = mark is not None or grant.consent == "in"
        return Cause.NOT_OPTED_IN if outreach and rules.outreach == "only_opted_in" and not listed else None

    def unwanted(self, grant: Grant, cause: Cause, reply: str | None = None) -> End:
        """The end of events that the lead does not want. ``reply``: to them, as JSON, which is not sent.

        The detail says how many bubbles were written and not sent.
        """
        end = End("skipped", cause, follow_up="dropped")
        if reply is None:
            return end
        try:
            written = Reply.of_json(reply)
        except Unreadable:
            return end
        sent = grant.head.bubbles_sent
        left = len(written.bubbles) + bool(written.photo_url) - sent
        # The channel was not told that a person takes over.
        mark = "" if written.mark == "escalated" else of_reply(written).mark
        return End("skipped", cause, figures(withheld=left, bubbles=sent), mark, follow_up="dropped")

    def of_confirmation(self, head: Entry, end: End) -> End:
        """The end of a turn, as it is. A confirmation that did not arrive leaves no dead letter: the lead is out."""
        confirms = head.said and not rules_of(head.kind).by_operator
        return End("skipped", Cause.OPTED_OUT) if confirms and end.fate == "dead" else end
