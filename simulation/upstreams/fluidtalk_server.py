"""The double of the FluidTalk Handshake API (protocols.md part 1). It serves the Characters API too."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any
from urllib.parse import quote

from simulation.upstreams.answer import Answer, detail, json_answer
from simulation.upstreams.call_log import Call
from simulation.upstreams.characters_api import CharactersApi
from simulation.upstreams.exchange import Exchange
from simulation.upstreams.form import Form, UnreadableForm, read_form
from simulation.upstreams.personas import Persona, Refused, Said
from simulation.upstreams.pictures import PHOTO, media_type
from simulation.upstreams.simulation import Simulation
from simulation.upstreams.upstream import Act, Upstream

CHAT = "/api/v1/bot/chat"
ACTION = "/api/v1/bot/action"
UPLOAD = "/api/v1/bot/upload"

_MEDIA = "/media/"
_PHOTO_PATH = "/media/photo.png"
_MAX_UPLOAD_BYTES = 10 * 1024 * 1024
_UNSAFE_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")


class _Invalid(Exception):
    """A field that the API would refuse: 422 with the field and what is wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class FluidTalkServer(Upstream):
    """Chat, action and upload, as the documents describe them; pictures under ``/media/``.

    Where the documents are silent it is strict: a field that is missing or makes no sense answers 422, so that a
    client's mistake shows. A sealed conversation answers 400 to every call, not only to a chat.
    """

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation)
        self._characters = CharactersApi(simulation, _PHOTO_PATH)

    def own_page(self, exchange: Exchange) -> Answer | None:
        """The bytes of a picture hosted here."""
        if not exchange.path.startswith(_MEDIA):
            return None
        if exchange.method != "GET":
            return detail(405, "Method Not Allowed")
        content = PHOTO if exchange.path == _PHOTO_PATH else self.simulation.uploads.get(exchange.path)
        if content is None:
            return detail(404, "Not Found")
        return Answer(200, content, media_type(content))

    def read(self, exchange: Exchange, body: bytes) -> tuple[Call, Act]:
        """Describe the call from its form and key."""
        if self._characters.owns(exchange.path):
            return self._characters.read(exchange, body)
        persona = self._persona(exchange.header(b"x-api-key"))
        call = Call(
            service="fluidtalk",
            method=exchange.method,
            path=exchange.path,
            persona=persona.name if persona else None,
            idempotency_key=exchange.header(b"idempotency-key"),
        )
        try:
            form = read_form(exchange.header(b"content-type"), body)
        except UnreadableForm as error:
            form, refusal = Form({}), str(error)
        else:
            refusal = ""
        call.fields = dict(form.fields)
        call.target = form.fields.get("target")
        call.action = form.fields.get("action")
        if form.file is not None:
            call.fields["file"] = {"name": form.file.name, "bytes": len(form.file.content)}
        return call, partial(self._act, call, persona, form, refusal, exchange.origin)

    def _persona(self, key: str | None) -> Persona | None:
        name = self.simulation.keys.get(key) if key else None
        return self.simulation.personas.get(name) if name else None

    def _act(self, call: Call, persona: Persona | None, form: Form, refusal: str, origin: str) -> Answer:
        if call.path not in (CHAT, ACTION, UPLOAD):
            return detail(404, "Not Found")
        if call.method != "POST":
            return detail(405, "Method Not Allowed")
        if persona is None:
            return detail(401, "Invalid or missing API key")
        if refusal:
            return detail(422, refusal)
        try:
            if call.path == UPLOAD:
                return self._upload(call, form, origin)
            said = _chat(persona, form, origin) if call.path == CHAT else _action(persona, form)
        except Refused as refused:
            return detail(refused.status, refused.detail)
        except _Invalid as invalid:
            return detail(422, [{"loc": ["body", invalid.field], "msg": invalid.message, "type": "value_error"}])
        call.turn = said.turn
        call.acted = said.turn is not None
        return json_answer(200, said.body)

    def _upload(self, call: Call, form: Form, origin: str) -> Answer:
        if form.file is None or not form.file.content:
            raise _Invalid("file", "a file with at least one byte is required")
        if len(form.file.content) > _MAX_UPLOAD_BYTES:
            return detail(413, f"the file has more than {_MAX_UPLOAD_BYTES} bytes")
        name = _UNSAFE_IN_NAMES.sub("_", form.file.name) or "image"
        number = len(self.simulation.uploads) + 1
        self.simulation.uploads[f"{_MEDIA}{number}/{name}"] = form.file.content
        call.acted = True
        return json_answer(200, {"url": f"{origin}{_MEDIA}{number}/{quote(name)}"})


def _required(form: Form, field: str) -> str:
    value = form.fields.get(field)
    if not value:
        raise _Invalid(field, "field required")
    return value


def _images(form: Form) -> list[str]:
    images = [form.fields["image_url"]] if form.fields.get("image_url") else []
    return [*images, form.file.name] if form.file is not None else images


def _chat(persona: Persona, form: Form, origin: str) -> Said:
    target = _required(form, "target")
    images = _images(form)
    message = form.fields.get("message", "") if images else _required(form, "message")
    return persona.chat(target, message, images, origin + _PHOTO_PATH)


def _action(persona: Persona, form: Form) -> Said:
    target = _required(form, "target")
    match _required(form, "action"):
        case "OUTREACH":
            return persona.outreach(target)
        case "ENTRY_POINT":
            return persona.entry_point(target, _required(form, "entry_type"), _context(form))
        case "FOLLOW_UP":
            if _images(form):
                raise _Invalid("image_url", "a follow-up takes no image")
            return persona.follow_up(target)
        case _:
            raise _Invalid("action", "expected OUTREACH, ENTRY_POINT or FOLLOW_UP")


def _context(form: Form) -> str:
    """The context in one fixed spelling, whatever escapes and blanks the client used (protocols.md 1.3)."""
    text = form.fields.get("entry_context", "")
    if not text:
        return ""
    try:
        context: Any = json.loads(text)
    except ValueError as error:
        raise _Invalid("entry_context", "expected JSON") from error
    if not isinstance(context, dict):
        raise _Invalid("entry_context", "expected a JSON object")
    return json.dumps(context, ensure_ascii=False)
