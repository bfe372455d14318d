"""Which commands there are: where each one stands, and what the help of its group says of it."""

from __future__ import annotations

from worker.cli.groups import Entry

_LOOK, _PERSONA, _LEAD, _MORE = "Look", "A whole persona", "One lead", "More"

PARLEY = {
    "status": Entry(
        "status:status",
        "Say how everything is: what waits, each persona, workers and beats, dead letters; first what needs you.",
        _LOOK,
    ),
    "watch": Entry(
        "watch:watch",
        "Show the status and what turns do, once a second, until Ctrl-C; on a pipe once.",
        _LOOK,
    ),
    "explain": Entry(
        "explain:explain",
        "Say in one sentence why a lead has no answer and what will end that; then the timeline, without content.",
        _LOOK,
    ),
    "books": Entry(
        "books:books",
        "Count every accepted event, by persona. Exit status 1 when one is unexplained.",
        _LOOK,
    ),
    "find": Entry(
        "conversations:find",
        "Find conversations by a part of the lead's handle, those with the newest event first.",
        _LOOK,
    ),
    "conversations": Entry(
        "conversations:conversations",
        "List conversations, those with the newest event first. Several states: those that are in all of them.",
        _LOOK,
    ),
    "check": Entry(
        "check:check",
        "Check the settings, the store and what goes on. Exit status 1 when something is sure to go wrong.",
        _LOOK,
    ),
    "health": Entry(
        "health:health",
        "Ask the workers and schedulers of this machine, or this container, whether they make progress.",
        _LOOK,
    ),
    "pause": Entry(
        "gates:pause",
        "Start no further call for a persona. Its events are accepted and wait; turns under way finish.",
        _PERSONA,
    ),
    "resume": Entry(
        "gates:resume",
        "Open the gates that wait for a person (paused, quarantined), or those named, and go on at once.",
        _PERSONA,
    ),
    "outreach": Entry(
        "outreach:outreach",
        "Show a persona's ramp, what waits for it, how the last openers ended, and what keeps it from writing first.",
        _PERSONA,
    ),
    "claim": Entry(
        "claims:claim",
        "Take a conversation over: the persona is silent in it until hand-back, its events wait in order.",
        _LEAD,
    ),
    "say": Entry(
        "say:say",
        "Write to a lead in the persona's place. Claim the conversation first.",
        _LEAD,
    ),
    "read": Entry(
        "read:read",
        "Show the words that wait in a conversation and, where it is kept, what was said. It leaves a trace.",
        _LEAD,
    ),
    "export": Entry(
        "read:export",
        "Write what was said in a conversation as JSON Lines, where it is kept. It leaves a trace.",
        _LEAD,
    ),
    "hand-back": Entry(
        "claims:hand_back",
        "Let the persona go on. Asks first when events that wait are to be dropped.",
        _LEAD,
    ),
    "claims": Entry(
        "claims:claims",
        "List the conversations that a person has, whether by claim, by escalation or by the channel; longest first.",
        _LEAD,
    ),
    "seal": Entry(
        "seals:seal",
        "End a conversation: what waits and what comes ends as sealed, without a call and without follow-ups.",
        _LEAD,
    ),
    "unseal": Entry(
        "seals:unseal",
        "Take a seal away: later events are asked again. When the persona itself ended the conversation, it will "
        "again.",
        _LEAD,
    ),
    "seals": Entry(
        "seals:seals",
        "List sealed conversations, the oldest seal first.",
        _LEAD,
    ),
    "forget": Entry(
        "forget:forget",
        "Erase all that is stored of one lead with one persona: messages, answers, timeline, dead letters, seal ...",
        _LEAD,
    ),
    "which": Entry(
        "which:which",
        "Say which lead a hash stands for, of those of whom anything is kept. More than one can have it, rarely.",
        _LEAD,
    ),
    "audit": Entry(
        "audit:audit",
        "List what operators did, the newest first: who, what, when.",
        _MORE,
    ),
    "rotate-keys": Entry(
        "rotate_keys:rotate_keys",
        "Encrypt all stored content with the first of PARLEY_ENCRYPTION__KEYS, beside running workers.",
        _MORE,
    ),
}

DEAD = {
    "list": Entry(
        "dead:list_letters",
        "List dead letters, newest first, without content.",
    ),
    "causes": Entry("dead:causes", "Group dead letters by what they died of: how many, since when, until when."),
    "show": Entry(
        "dead:show",
        "Show all that is known of one dead letter; its content only on demand.",
    ),
    "replay": Entry(
        "dead_replay:replay",
        "Give one dead event back to its conversation. A stored reply is delivered, not asked for again.",
    ),
    "replay-all": Entry(
        "dead_replay:replay_all",
        "Give back all dead events with a cause, each to its place. Shows first how many there are of which cause.",
    ),
    "discard": Entry(
        "dead_replay:discard",
        "Take one dead event off the list: it ends without an answer. Until its record expires, replay can call "
        "it back.",
    ),
}

FOLLOW_UPS = {
    "list": Entry(
        "follow_ups:list_touches",
        "List the next follow-ups, the earliest first: when, to whom, and the rule behind it.",
    ),
    "show": Entry(
        "follow_ups:show",
        "Show the follow-ups of the next 7 days that one lead gets who stays quiet, each with its rule.",
    ),
    "preview": Entry(
        "follow_ups:preview",
        "Say what the configured cadence, or one to try, would do to all conversations as they stand. Changes nothing.",
    ),
    "apply": Entry(
        "follow_ups:apply",
        "Plan the next follow-up of all conversations again by the configured cadence. Shows first what that changes.",
    ),
    "move": Entry(
        "follow_up_move:move",
        "Give the next follow-up of one lead another time. A message of the lead before that time still ends it.",
    ),
    "cancel": Entry(
        "follow_ups:cancel",
        "Drop the next follow-up of one lead. The cadence starts again with the next reply that reaches the lead.",
    ),
}

CONSENT = {
    "list": Entry(
        "consent:list_marks",
        "List who opted out or in, the oldest first.",
    ),
    "show": Entry(
        "consent:show",
        "Say what one lead has consented to, also a lead whose data was erased.",
    ),
    "set": Entry(
        "consent:write",
        "Write down that a lead opted out or in elsewhere, such as by telephone; or that nothing is known.",
    ),
    "import": Entry(
        "consent:take_in",
        "Read who opted out or in from a CSV. A line with a fault stops it before anything is changed.",
    ),
    "export": Entry(
        "consent:export",
        "Write all who opted out or in as CSV: persona, target, state, since, by. Erased leads have no name to write.",
    ),
}

OPERATORS = {
    "add": Entry(
        "operators:add",
        "Add an operator, or give one another password and other roles. The password is asked for, or read from a "
        "pipe.",
    ),
    "list": Entry("operators:list_operators", "List who may open the console, and with which roles."),
    "remove": Entry("operators:remove", "Take an operator off the list."),
}

INGRESS = {
    "try": Entry(
        "ingress:try_request",
        "Show which event a Captivate request would become, and which lead it would be, without its content.",
    ),
}

NOTICES = {
    "list": Entry(
        "notices:list_notices",
        "List notices, the newest last, without content.",
    ),
    "show": Entry(
        "notices:show",
        "Show all fields of one notice.",
    ),
    "endpoints": Entry(
        "endpoints:endpoints",
        "Show how far each endpoint is: sent, refused by its receiver, lost, how late, and why.",
    ),
    "pause": Entry(
        "endpoints:pause",
        "Send nothing to an endpoint. Its notices wait for as long as notices are kept; calls under way finish.",
    ),
    "resume": Entry("endpoints:resume", "Send to an endpoint again, from where it was, at once."),
    "replay": Entry(
        "endpoints:replay",
        "Send an endpoint again what was noted since a time, with the same ids. Shows first how much that is.",
    ),
    "remove": Entry(
        "endpoints:remove",
        "Forget an endpoint that no settings name any more. One that is configured begins as a new one.",
    ),
}
