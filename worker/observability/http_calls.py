"""HTTP connections whose calls are counted, and are spans of their turn."""

from __future__ import annotations

from pathlib import Path

from worker.clients.http.connections import MAX_RESPONSE_BYTES, Answer, Connections, NotSent, Timeouts, Unanswered
from worker.clients.http.requests import Asked
from worker.clients.http.streams import CheckAddress
from worker.observability import metrics, tracing


class CountedConnections(Connections):
    """Counts each call by ``upstream`` and by how it ended; else the same."""

    def __init__(
        self,
        upstream: str,
        *,
        check_address: CheckAddress | None = None,
        ca_path: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(check_address=check_address, ca_path=ca_path, proxy=proxy)
        self._upstream = upstream

    def send(self, request: Asked, timeouts: Timeouts, max_response_bytes: int = MAX_RESPONSE_BYTES) -> Answer:
        """As ``Connections.send``."""
        with tracing.call(self._upstream) as span:
            try:
                answer = super().send(request, timeouts, max_response_bytes)
            except (NotSent, Unanswered) as error:
                ended = "not_sent" if isinstance(error, NotSent) else "unanswered"
                span.tell(answer=ended)
                metrics.http_call(self._upstream, ended)
                raise
            span.tell(answer=answer.status)
            metrics.http_call(self._upstream, f"{answer.status // 100}xx")
            return answer
