"""The ingress' framework with nothing in it: reads a body and answers 202. What the ingress is measured beside.

python -m benchmarks.empty_handler PORT
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

# As long as a receipt.
_ANSWER = {"receipt": "q" * 96, "event_id": "message-100000", "status": "accepted", "position": 1}


async def _empty(request: Request) -> Response:
    await request.body()
    return JSONResponse(_ANSWER, 202)


def main() -> None:
    """Serve until a signal."""
    app = Starlette(routes=[Route("/v1/events", _empty, methods=["POST"])])
    uvicorn.run(app, port=int(sys.argv[1]), lifespan="off", access_log=False, log_config=None, ws="none")


if __name__ == "__main__":
    main()
