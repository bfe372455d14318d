"""Every key of the store, in one legend.

All keys of a conversation carry one hash tag, its shard, together with that shard's agenda: a script touches one slot.

    key                                        type  ends                    written by            read by
    parley:{NN}:agenda                         ZSET  when nothing waits      accept begin hold     look ring
                                                                             settle renew ring
                                                                             replay hand_over
                                                                             hand_back say
    parley:{NN}:conversation:<conversation>    HASH  90 days quiet; never    accept begin record   the same, explain
                                                     while sealed or taken   hold settle renew
                                                     over                    replay hand_over
                                                                             claim hand_back seal
                                                                             say
    parley:{NN}:conversations                  ZSET  90 days without an      accept say            lists, parley find
                                                     event (trim)
    parley:{NN}:inbox:<conversation>           LIST  with its last event     accept settle replay  begin ring
                                                                             hand_back say begin
                                                                             hold
    parley:{NN}:journal:<event id> <conv.>     HASH  7 days settled,         accept begin record   the same, explain
                                                     30 days dead            hold settle refuse
                                                                             keep_image stumble
                                                                             replay hand_over
                                                                             hand_back say
    parley:{NN}:sessions:<conversation>        SET   90 days quiet           the ingress           forget
    parley:{NN}:timeline:<conversation>        LIST  30 days quiet           all of these          explain
    parley:{NN}:transcript:<conversation>      LIST  some days; off by       accept settle         parley read, export
    parley:{NN}:transcripts                    ZSET  default                 accept settle         end_transcripts
    parley:{NN}:books                          HASH  never (a few counters)  accept settle refuse  books
                                                                             replay hand_back say
    parley:{NN}:follow_ups                     ZSET  when none is planned    settle accept touch   look
                                                                             schedule claim seal   plan_follow_ups
    parley:{NN}:follow_ups_sent[:<persona>]:<day> SET 2 days                 allow                 allow
    parley:{NN}:pace:<persona>                 TEXT  a minute unused         allow                 allow
    parley:{NN}:paced:<persona>                ZSET  ten minutes unused      allow                 allow
    parley:{NN}:told[_reserved]:<target>       ZSET  a week unused           reserve tell          reserve
    parley:{NN}:ready                          ZSET  when nothing is ready   accept settle replay  look ring
                                                                             wake ring
    parley:{NN}:queued                         SET   with the last of them   ring                  look ring
    parley:{NN}:queue:<persona>                ZSET  when none is ready      ring                  ring ring_outreach
                                                                                                   explain
    parley:{NN}:parked:<persona>               ZSET  when it is configured   ring                  ring
    parley:{NN}:rung                           ZSET  a minute                ring_outreach         ring
    parley:{NN}:dead                           ZSET  trimmed after 30 days   settle refuse replay  dead letters
                                                                             accept hand_back
    parley:{NN}:refused[:<conversation>]       ZSET  30 days without one     refuse accept replay  refuse
                                                                             forget
    parley:{NN}:only_counted                   HASH  never (a few counters)  refuse                dead letters
    parley:{NN}:sealed                         HASH  never; reversible       settle seal           parley seals
    parley:{NN}:consents                       HASH  never; reversible       accept consent        accept, parley
                                                                                                   consent
    parley:{NN}:consents_of_leads              HASH  never; reversible       consent_of_lead       workers, parley
                                                                                                   consent
    parley:{NN}:opted_out                      HASH  never (a few counters)  accept consent        figures
                                                                             consent_of_lead forget
    parley:{NN}:erased_consents                HASH  never; reversible       forget                accept consent
    parley:{NN}:taken_over                     HASH  with the hand-back      settle claim hand_back parley claims
    parley:{NN}:persona:<persona>              HASH  never; reversible       gates, pause          begin
    parley:{NN}:channel:<environment>          HASH  never; reversible       gate open errands     begin record
    parley:{NN}:waiting:<gate>:<owner>         ZSET  when the gate opens     begin probe           tries of the gate
    parley:{NN}:errands                        ZSET  when nothing is left    gate open admit       look errands
                                                     to do                   release errands
    parley:{NN}:pulled:<persona>               ZSET  a day after the ack     accept settle acks    the same
                                                                             hand_back forget
    parley:{NN}:pulling:<persona>:<what>       TEXT  at the next pull        pull_follow_ups       the same
    parley:{NN}:notices                        STREAM 3 days, and bytes      all that write fates  notices
    parley:{NN}:notices_kept                   HASH  never (a few counters)  the same              the same, notices
    parley:{NN}:noticed:<conversation>         TEXT  a week unused           the same              the same
    parley:{NN}:clock                          TEXT  a week unused           all scripts            the same
    parley:{NN}:processes                      ZSET  with its last process   keep_process ring      look ring
    parley:{NN}:watched                        TEXT  a minute unused         look ring              the same
    parley:{NN}:fence                          TEXT  a day                   forget                begin
    parley:{NN}:rate:<persona>                 TEXT  a minute unused         admit                 admit
    parley:{NN}:reserved:<persona>             ZSET  ten minutes unused      admit                 admit
    parley:{NN}:running:<persona>              ZSET  a day unused            admit release         admit
                                                                             renew_places
    parley:{NN}:line:<persona>                 ZSET  a day unused            admit release         admit release
    parley:{NN}:ramp:<persona>                 HASH  never (a few fields)    ramp outcome          ramp, parley outreach
    parley:{NN}:moments:<persona>              ZSET  30 days unused          ramp                  ramp, parley outreach
    parley:{NN}:gone:<persona>                 ZSET  2 days                  ramp                  ramp, parley outreach
    parley:{NN}:outcomes:<persona>             LIST  never; a window         outcome               parley outreach
    parley:{NN}:done:<digest>                  HASH  a day                   acts of operators     the same

    parley:{00}:audit                          LIST  the newest 10 000       note_act erase_acts   parley audit
    parley:{NN}:nothing                        never exists: what scripts that write touch first (lua/lib/prelude.lua)

    parley:layout                              HASH  never (one number)      the first process     all, at their start
    parley:apis                                HASH  never (few names)       workers               workers, parley check
    parley:drift:<day>                         HASH  8 days                  workers               parley status
    parley:triggers:<day>                      HASH  8 days                  workers               parley check
    parley:web                                 HASH  never (one key)         the ingress           the ingress
    parley:endpoints                           SET   never (few names)       web processes         notices, figures
    parley:endpoint:{<name>}                   HASH  90 days unused          web, parley notices   the same, figures
    parley:endpoint:{<name>}:refused           LIST  90 days without one     web processes         parley notices
    parley:session:<digest>                    TEXT  90 days quiet           the ingress           the ingress, forget
    parley:same:<digest>                       TEXT  seconds                 the ingress           the ingress
    parley:alive                               ZSET  with its last process   workers, beats        parley status
    parley:served                              ZSET  never (few names)       workers               schedulers' figures
    parley:accept:reader                       TEXT  half a minute           take_in               take_in
    parley:accept:passed_over                  TEXT  at most ten minutes     take_in               take_in, status
    parley:accept:parked                       LIST  30 days without one     take_in               parley status
    accept, celery, and both and turns with    LIST  when nothing waits      foreign producers     look take_in
    a priority (queue_lists.py)

``forget`` erases whatever names one conversation, in all of these.

Times in keys are milliseconds of the Redis clock. Field legends are in ``lua/lib/prelude.lua``.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, NamedTuple

from worker.domain.conversation import Conversation

# What the type checker takes for a text, and the face of a script (``worker/store/faces/face.py``) for a key.
Key = Annotated[str, "key"]

# As many as two digits can name.
MOST_SHARDS = 100


@dataclass(frozen=True)
class Shard:
    """The keys that conversations of one shard share. Each is made when it is first asked for, and kept."""

    tag: str

    @classmethod
    def numbered(cls, number: int) -> Shard:
        """The shard of this number, from 0."""
        return cls(f"{number:02d}")

    def key(self, noun: str) -> Key:
        """The key ``noun`` of this shard."""
        return f"parley:{{{self.tag}}}:{noun}"

    @cached_property
    def agenda(self) -> Key:
        """Conversation name to milliseconds."""
        return self.key("agenda")

    @cached_property
    def conversations(self) -> Key:
        """Conversation name to milliseconds of its last accepted event."""
        return self.key("conversations")

    @cached_property
    def follow_ups(self) -> Key:
        """Conversation name to milliseconds of its next follow-up."""
        return self.key("follow_ups")

    @cached_property
    def ready(self) -> Key:
        """Conversations whose opener or follow-up became ready since the last tick, to milliseconds of its acceptance.

        Workers of 0.1.0 ring for them from here; ``ring`` moves them into the queue of their persona."""
        return self.key("ready")

    @cached_property
    def queued(self) -> Key:
        """Personas that have a queue or parked conversations in this shard."""
        return self.key("queued")

    @cached_property
    def queue_prefix(self) -> Key:
        """What stands before a persona's name in the key of its queue."""
        return self.key("queue:")

    @cached_property
    def parked_prefix(self) -> Key:
        """What stands before a persona's name in the key of its parked conversations."""
        return self.key("parked:")

    @cached_property
    def rung(self) -> Key:
        """Conversations whose outreach got a doorbell, to milliseconds when; some may not have been looked at yet."""
        return self.key("rung")

    def queue(self, persona: str) -> Key:
        """Conversations of a persona whose opener or follow-up may get a doorbell, to their place: milliseconds."""
        return self.queue_prefix + persona

    def parked(self, persona: str) -> Key:
        """Conversations of a persona that a worker did not know, to milliseconds since when they are due."""
        return self.parked_prefix + persona

    @cached_property
    def dead(self) -> Key:
        """``<event id> <conversation>`` to milliseconds of death."""
        return self.key("dead")

    @cached_property
    def only_counted(self) -> Key:
        """Persona to how many of its refused events no letter is kept."""
        return self.key("only_counted")

    @cached_property
    def sealed(self) -> Key:
        """Conversation name to milliseconds of the seal."""
        return self.key("sealed")

    @cached_property
    def consents(self) -> Key:
        """Conversation name to what its lead has said about messages, since when, who said it."""
        return self.key("consents")

    @cached_property
    def consents_of_leads(self) -> Key:
        """Lead's handle to what the lead has said for all personas."""
        return self.key("consents_of_leads")

    @cached_property
    def opted_out(self) -> Key:
        """Persona, or ``*`` for marks that count for all, to how many leads are opted out."""
        return self.key("opted_out")

    @cached_property
    def erased_consents(self) -> Key:
        """The same of conversations that were erased, by a keyed hash of their names."""
        return self.key("erased_consents")

    @cached_property
    def taken_over(self) -> Key:
        """Conversation name to milliseconds of the takeover."""
        return self.key("taken_over")

    @cached_property
    def conversation_prefix(self) -> Key:
        """What stands before a conversation's name in its own key."""
        return self.key("conversation:")

    @cached_property
    def inbox_prefix(self) -> Key:
        """What stands before a conversation's name in its inbox key."""
        return self.key("inbox:")

    @cached_property
    def journal_prefix(self) -> Key:
        """What stands before ``<event id> <conversation>`` in a journal key."""
        return self.key("journal:")

    @cached_property
    def timeline_prefix(self) -> Key:
        """What stands before a conversation's name in its timeline key."""
        return self.key("timeline:")

    @cached_property
    def persona_prefix(self) -> Key:
        """What stands before a persona's name in the key of its gates."""
        return self.key("persona:")

    @cached_property
    def channel_prefix(self) -> Key:
        """What stands before an environment's name in the key of its channel's gate."""
        return self.key("channel:")

    @cached_property
    def notices(self) -> Key:
        """What the outside may have to know, in order."""
        return self.key("notices")

    @cached_property
    def notices_kept(self) -> Key:
        """Counters of notices, and whether they are kept."""
        return self.key("notices_kept")

    @cached_property
    def clock(self) -> Key:
        """The latest time that a script has seen."""
        return self.key("clock")

    @cached_property
    def processes(self) -> Key:
        """Processes that run turns here, to milliseconds until when they are taken to live."""
        return self.key("processes")

    def conversation(self, conversation: Conversation) -> Key:
        """The conversation's own state."""
        return self.conversation_prefix + conversation.name

    def inbox(self, conversation: Conversation) -> Key:
        """The event ids that wait, in order."""
        return self.inbox_prefix + conversation.name

    def timeline(self, conversation: Conversation) -> Key:
        """What happened to the conversation."""
        return self.timeline_prefix + conversation.name

    def sessions(self, conversation: Conversation) -> Key:
        """The keys of the channel's sessions that belong to the conversation."""
        return self.key(f"sessions:{conversation.name}")

    def journal(self, conversation: Conversation, event_id: str) -> Key:
        """One event. An id has no space, so the first space ends it."""
        return f"{self.journal_prefix}{event_id} {conversation.name}"

    def persona(self, persona: str) -> Key:
        """The persona's gates as this shard knows them."""
        return self.persona_prefix + persona

    @cached_property
    def books(self) -> Key:
        """Counters of all personas' events in this shard."""
        return self.key("books")

    def follow_ups_sent_in_all(self, day: int) -> Key:
        """Follow-ups of all personas on this UTC day (since 1970)."""
        return self.key(f"follow_ups_sent:{day}")

    def channel(self, environment: str) -> Key:
        """The gate of a channel as this shard knows it."""
        return self.channel_prefix + environment

    @cached_property
    def waiting_prefix(self) -> Key:
        """What stands before ``<gate>:<owner>`` in the key of those who wait for a gate."""
        return self.key("waiting:")

    def waiting(self, gate: str, owner: str) -> Key:
        """Conversations that wait for a gate, to the time since when."""
        return f"{self.waiting_prefix}{gate}:{owner}"

    def pulled(self, persona: str) -> Key:
        """Names of the follow-ups that were pulled for leads of this shard, to where each is with its ack."""
        return self.key(f"pulled:{persona}")

    @cached_property
    def errands(self) -> Key:
        """What has to be done for an owner whose home this shard is, to milliseconds when it is due."""
        return self.key("errands")


class ConversationKeys(NamedTuple):
    """The keys of one conversation.

    ``name``: as keys and indexes have it. ``conversation``: its own state. ``persona``: the gates of its persona
    as its shard knows them.
    """

    shard: Shard
    name: str
    conversation: Key
    inbox: Key
    timeline: Key
    persona: Key

    @property
    def queue(self) -> Key:
        """Where it waits when its opener or follow-up may get a doorbell."""
        return self.shard.queue(self._persona)

    @property
    def parked(self) -> Key:
        """Where it stands when its persona is not known to a worker."""
        return self.shard.parked(self._persona)

    def journal(self, event_id: str) -> Key:
        """One of its events. An id has no space, so the first space ends it."""
        return f"{self.shard.journal_prefix}{event_id} {self.name}"

    @property
    def _persona(self) -> str:
        return Conversation.of_name(self.name).persona


@dataclass(frozen=True, slots=True)
class PersonaKeys:
    """The keys of what exists once for a persona, in its home shard."""

    shard: Shard
    name: str

    @property
    def persona(self) -> Key:
        """Its gates as its home shard knows them."""
        return self.shard.persona(self.name)

    @property
    def rate(self) -> Key:
        """The next free moment for a call with its key."""
        return self.shard.key(f"rate:{self.name}")

    @property
    def reserved(self) -> Key:
        """Conversation name to the moment of its call."""
        return self.shard.key(f"reserved:{self.name}")

    @property
    def running(self) -> Key:
        """Calls with its key that are being made, to milliseconds of their end."""
        return self.shard.key(f"running:{self.name}")

    @property
    def line(self) -> Key:
        """Conversations that wait for a call, to milliseconds since when."""
        return self.shard.key(f"line:{self.name}")

    @property
    def pace(self) -> Key:
        """The next free moment for one of its follow-ups."""
        return self.shard.key(f"pace:{self.name}")

    @property
    def paced(self) -> Key:
        """Touch to the moment that it was given."""
        return self.shard.key(f"paced:{self.name}")

    def follow_ups_sent(self, day: int) -> Key:
        """Follow-ups that it was allowed on this UTC day (since 1970)."""
        return self.shard.key(f"follow_ups_sent:{self.name}:{day}")

    def pulling(self, what: str) -> Key:
        """The right to pull its follow-ups, and when this is done again."""
        return self.shard.key(f"pulling:{self.name}:{what}")

    @property
    def ramp(self) -> Key:
        """The state of its ramp."""
        return self.shard.key(f"ramp:{self.name}")

    @property
    def moments(self) -> Key:
        """Opener to the moment that its ramp has given it."""
        return self.shard.key(f"moments:{self.name}")

    @property
    def gone(self) -> Key:
        """Opener to milliseconds when its ramp let it go."""
        return self.shard.key(f"gone:{self.name}")

    @property
    def outcomes(self) -> Key:
        """How its last openers ended."""
        return self.shard.key(f"outcomes:{self.name}")


class LeadKeys(NamedTuple):
    """The keys of what exists once for a lead, whatever the persona, in the shard of its target."""

    told: Key
    reserved: Key


class Keys:
    """All shards. Their number must stay the same while anything is stored (``worker/store/redis/layout.py``)."""

    def __init__(self, shards: int) -> None:
        self.shards = tuple(Shard.numbered(number) for number in range(shards))
        self._shard_number = lru_cache(maxsize=4096)(self._hash)
        # Each turn asks for the same at every step.
        self._conversation_keys = lru_cache(maxsize=1024)(self._made)

    def of(self, conversation: Conversation) -> Shard:
        """The shard of a conversation."""
        return self.shards[self._shard_number(conversation.name)]

    def conversation(self, conversation: Conversation) -> ConversationKeys:
        """All keys of a conversation."""
        return self._conversation_keys(conversation)

    def persona(self, persona: str) -> PersonaKeys:
        """All keys of what exists once for a persona."""
        return PersonaKeys(self.home(persona), persona)

    def lead_keys(self, target: str) -> LeadKeys:
        """All keys of what exists once for a lead."""
        shard = self.shards[self._shard_number(target)]
        return LeadKeys(shard.key(f"told:{target}"), shard.key(f"told_reserved:{target}"))

    def lead(self, target: str) -> Shard:
        """The shard where something that exists once per lead lives, whatever the persona."""
        return self.shards[self._shard_number(target)]

    def home(self, persona: str) -> Shard:
        """The shard where something that exists once per persona lives."""
        return self.shards[self._shard_number(persona)]

    def _made(self, conversation: Conversation) -> ConversationKeys:
        name = conversation.name
        shard = self.shards[self._shard_number(name)]
        return ConversationKeys(
            shard=shard,
            name=name,
            conversation=shard.conversation_prefix + name,
            inbox=shard.inbox_prefix + name,
            timeline=shard.timeline_prefix + name,
            persona=shard.persona_prefix + conversation.persona,
        )

    def _hash(self, text: str) -> int:
        return shard_of(text, len(self.shards))


def shard_of(text: str, shards: int) -> int:
    """Number of the shard of a conversation, or of the home of a persona, by its name."""
    return zlib.crc32(text.encode()) % shards
