"""Dead letters: groups by what they died of, one by one, replay and discard. A number comes before each act."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import cast

from starlette.responses import Response

from worker.cli.dead_replay import outcome_told
from worker.domain.conversation import Conversation
from worker.domain.sentences import of_stored
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay
from worker.store.operator.dead_letters import DeadLetter, Mode, OpenedLetter
from worker.store.redis.connection import clock_ms
from worker.web.console.buttons import on_page
from worker.web.console.previews import Preview
from worker.web.console.rendering import count
from worker.web.console.visits import Refusal, Visit

_ROWS = 100
# Of each shard the newest, for the groups: to look at all of very many would take long.
_LOOKED_AT = 100
_AT_ONCE = 100
# Most bytes of the names of those that a form is for; less where the bodies of forms are kept smaller.
_MOST_NAMES = 65_536
_GROUP, _LETTER, _COUNTED = "group", "letter", "counted"
_MODES = {
    "place": "In its own place: as if it had not died; not possible when something later was answered",
    "append": "At the end: it is answered now, late",
    "join": "With the next messages that wait: one answer for all of them",
}


def groups(visit: Visit) -> Response:
    """The page with the groups."""
    found = visit.store.dead_letters.by_cause(most=_LOOKED_AT)
    rows = [(each, of_stored(each.cause), _group_address(visit, each.persona, each.cause)) for each in found]
    return visit.page(
        "dead_letters.html",
        now=clock_ms(visit.store.redis),
        rows=rows,
        total=visit.store.dead_letters.count(),
        seen=sum(each.count for each in found),
    )


def group(visit: Visit) -> Response:
    """The newest letters of a group."""
    persona, cause = _group(visit)
    letters = visit.store.dead_letters.newest(_ROWS, persona, lambda stored: stored == cause)
    if not letters:
        return visit.go("/dead", "This group is empty now.")
    rows = [(each, _letter_address(visit, each), visit.place_of(each.conversation)) for each in letters]
    return visit.page(
        "dead_group.html",
        now=clock_ms(visit.store.redis),
        persona=persona,
        cause=of_stored(cause),
        rows=rows,
        most=_ROWS,
        address=_group_address(visit, persona, cause),
    )


def group_preview(visit: Visit) -> Response:
    """How many of a group would be replayed or discarded."""
    persona, cause = _group(visit)
    letters = _oldest(visit, persona, cause)
    if not letters:
        return visit.go("/dead", "This group is empty now.")
    first = _first(visit, letters)
    number, now = len(letters), len(first)
    counted = visit.sealed.seal(_COUNTED, [persona, cause, *_names(first)])
    several = "" if number == now else f" Of {number} letters these are the oldest; then come here again for the next."
    conversations = len({each.conversation for each in first})
    if visit.names["act"] == "replay":
        says = [
            f"{count(now, 'event')} of {persona} in {count(conversations, 'conversation')} "
            f"go{'es' if now == 1 else ''} back to the place where {'it' if now == 1 else 'each'} died.{several}",
            "An answer that is stored is delivered, not asked for again. Where something later was answered, the "
            "event stays a dead letter.",
        ]
        preview = Preview(f"Replay {count(now, 'dead letter')}?", says, f"Replay {now}", counted=counted)
    else:
        says = [
            f"{count(now, 'event')} of {persona} in {count(conversations, 'conversation')} "
            f"end{'s' if now == 1 else ''} without an answer and leave{'s' if now == 1 else ''} this list.{several}",
            "Until its record expires, the command parley dead replay can call each back.",
        ]
        preview = Preview(f"Discard {count(now, 'dead letter')}?", says, f"Discard {now}", danger=True, counted=counted)
    address = _group_address(visit, persona, cause)
    crumbs = [("/dead", "Dead letters"), (address, of_stored(cause))]
    return visit.page("preview.html", preview=preview, action=visit.path, back=address, crumbs=crumbs)


def group_run(visit: Visit) -> Response:
    """Replay or discard those of a group that the page before counted, and no others. The same form again goes on where
    it was interrupted, and notes what was done and not noted."""
    persona, cause = _group(visit)
    counted = visit.sealed.open(_COUNTED, visit.form.get("counted", ""))
    if counted is None or counted[:2] != [persona, cause]:
        raise Refusal(400, "Nothing was changed", "Open the group again: its number comes before the act.")
    mode: Mode = "place" if visit.names["act"] == "replay" else "discard"
    there = {(each.conversation, each.event_id) for each in _oldest(visit, persona, cause)}
    replays, acts = _replay(visit), visit.acts
    named = [(Conversation(persona, target), event_id) for target, event_id in counted[2:]]
    letters = [each for each in named if each in there or acts.has_replayed(*each)]
    done = sum(acts.replay(replays, *each, mode).done for each in letters)
    word = "replayed" if mode == "place" else "discarded"
    left = f" {len(letters) - done} stayed: open one to see why." if done < len(letters) else ""
    return visit.go("/dead", f"{done} of {len(letters)} {word}.{left}")


def letter(visit: Visit) -> Response:
    """One letter, without content."""
    return _letter_page(visit, content=None)


def letter_words(visit: Visit) -> Response:
    """One letter with what is kept of it. It leaves a trace, which is written first."""
    conversation, event_id = _letter(visit)
    visit.acts.read_letter(conversation, event_id)
    opened = _opened(visit)
    kept = {"What was sent": opened.payload, "Its answer": opened.reply, "What the server said": opened.detail}
    return _letter_page(visit, content={name: text for name, text in kept.items() if text})


def letter_run(visit: Visit) -> Response:
    """Replay one letter, or discard it."""
    conversation, event_id = _letter(visit)
    wanted = visit.form.get("choice", "")
    if wanted not in (*_MODES, "discard"):
        raise Refusal(400, "Nothing was changed", "Choose where the event shall go.")
    outcome = visit.acts.replay(_replay(visit), conversation, event_id, cast(Mode, wanted))
    told = on_page(outcome_told(outcome))
    return visit.go(visit.place_of(conversation) if outcome.done else visit.path.removesuffix("/replay"), told)


def _letter_page(visit: Visit, content: dict[str, str] | None) -> Response:
    opened = _opened(visit)
    known = opened.letter
    return visit.page(
        "dead_letter.html",
        now=clock_ms(visit.store.redis),
        letter=known,
        opened=opened,
        cause=of_stored(known.cause),
        place=visit.place_of(known.conversation),
        address=_letter_address(visit, known),
        modes=_MODES,
        content=content,
    )


def _opened(visit: Visit) -> OpenedLetter:
    opened = visit.store.dead_letters.open(*_letter(visit))
    if opened is None:
        raise Refusal(404, "This letter is no longer here", "It was replayed or discarded, or it has expired.")
    return opened


def _oldest(visit: Visit, persona: str, cause: str) -> list[DeadLetter]:
    return sorted(visit.store.dead_letters.in_order(persona, lambda stored: stored == cause), key=_place)


def _first(visit: Visit, letters: list[DeadLetter]) -> list[DeadLetter]:
    # One form names them all, so that the same form again finds them.
    most = min(_MOST_NAMES, visit.settings.ingress.body_bytes // 2)
    sizes = accumulate(len(json.dumps(name)) + 1 for name in _names(letters[:_AT_ONCE]))
    fit = sum(size <= most for size in sizes)
    return letters[: max(1, fit)]


def _names(letters: list[DeadLetter]) -> list[list[str]]:
    return [[each.conversation.target, each.event_id] for each in letters]


def _place(letter: DeadLetter) -> list[int | str]:
    # Two can die in the same millisecond.
    return [round(letter.died_at.timestamp() * 1000), letter.rank, *letter.conversation, letter.event_id]


def _group(visit: Visit) -> tuple[str, str]:
    found = visit.sealed.open(_GROUP, visit.names["word"])
    if found is None or visit.names.get("act", "replay") not in ("replay", "discard"):
        raise Refusal(404, "No such page", "This address names no group of dead letters.")
    persona, cause = found
    return persona, cause


def _letter(visit: Visit) -> tuple[Conversation, str]:
    found = visit.sealed.open(_LETTER, visit.names["word"])
    if found is None:
        raise Refusal(404, "No such page", "This address names no dead letter.")
    persona, target, event_id = found
    return Conversation(persona, target), event_id


def _group_address(visit: Visit, persona: str, cause: str) -> str:
    return f"/dead/group/{visit.sealed.seal(_GROUP, [persona, cause])}"


def _letter_address(visit: Visit, letter: DeadLetter) -> str:
    return f"/dead/letter/{visit.sealed.seal(_LETTER, [*letter.conversation, letter.event_id])}"


def _replay(visit: Visit) -> Replay:
    return Replay(visit.settings, visit.store, Producer(visit.settings, store=visit.store))
