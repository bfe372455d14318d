"""Ends that consent brings, where a stored reply cannot be read."""

from __future__ import annotations

import uuid

import pytest

from worker.domain.conversation import Conversation
from worker.domain.decisions import End
from worker.domain.events import AiOpener
from worker.domain.vocabulary import Cause
from worker.pipeline.consent import Consents

LEAD = Conversation("ava", "@lead")


@pytest.mark.parametrize("reply", ["no JSON", '{"of": "a newer release"}'])
def test_an_opener_that_is_not_wanted_ends_also_when_its_reply_cannot_be_read(store, make_settings, channel, reply):
    store.inbox.accept(AiOpener(persona="ava", target="@lead", channel=channel))
    grant = store.steps.begin(LEAD, uuid.uuid4().hex)
    store.steps.record(grant, reply)
    store.steps.hold(grant, 0, "channel_unavailable", unknown=False)
    store.consents.write(LEAD, "out", "kim")
    grant = store.steps.begin(LEAD, uuid.uuid4().hex)
    assert grant.head.reply == reply
    end = Consents(make_settings().consent_rules, store).instead(grant)
    assert end == End("skipped", Cause.OPTED_OUT, follow_up="dropped")
