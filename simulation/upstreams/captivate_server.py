"""The double of Captivate's send API, version 2 (protocols.md 2.4 to 2.8)."""

from __future__ import annotations

from functools import partial
from typing import Any

from simulation.upstreams.answer import Answer, detail, json_answer
from simulation.upstreams.call_log import Call
from simulation.upstreams.captivate_wire import Problems, read_body
from simulation.upstreams.exchange import Exchange
from simulation.upstreams.simulation import Delivery
from simulation.upstreams.upstream import Act, Upstream

SEND_MESSAGE = "/api/channel/v2/sendMessage"

_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


class CaptivateServer(Upstream):
    """Takes messages and keeps them for each session id. A body that is not as documented answers 422 with the reasons.

    It does not look at the Idempotency-Key: a send that comes twice is delivered twice, and both can be counted.
    """

    def read(self, exchange: Exchange, body: bytes) -> tuple[Call, Act]:
        """Describe the call from its body and headers."""
        content, problems = read_body(body)
        content_type = exchange.header(b"content-type") or ""
        if content_type.partition(";")[0].strip().lower() != "application/json":
            problems.append("Content-Type: expected application/json")
        fields: dict[str, Any] = content if isinstance(content, dict) else {}
        session_id = fields.get("session_id")
        call = Call(
            service="captivate",
            method=exchange.method,
            path=exchange.path,
            session_id=session_id if isinstance(session_id, str) else None,
            fields=fields,
            headers=_without_secrets(exchange.headers()),
            idempotency_key=exchange.header(b"idempotency-key"),
        )
        return call, partial(self._act, call, problems)

    def _act(self, call: Call, problems: Problems) -> Answer:
        if call.path != SEND_MESSAGE:
            return detail(404, "Not Found")
        if call.method != "POST":
            return detail(405, "Method Not Allowed")
        if problems or call.session_id is None:
            return detail(422, problems)
        call.acted = True
        delivery = Delivery(
            arrived=call.arrived,
            messages=call.fields["response"],
            actions=call.fields["outgoing_action"],
            idempotency_key=call.idempotency_key,
            headers=call.headers,
        )
        self.simulation.deliveries.setdefault(call.session_id, []).append(delivery)
        return json_answer(200, {"success": True, "accepted": len(delivery.messages)})


def _without_secrets(headers: dict[str, str]) -> dict[str, str]:
    return {name: "(hidden)" if name in _SECRET_HEADERS else value for name, value in headers.items()}
