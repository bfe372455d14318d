"""The web process for a store whose clock a simulation sets, as ``stepping`` is the Celery app for it.

``python -m simulation.chaos.stepping_web``
"""

from __future__ import annotations

import sys
from functools import partial

from worker.store import Store
from worker.web import __main__ as product
from worker.web import server

setattr(server, "Store", partial(Store, ahead=True))  # noqa: B010 - no part of the product asks for it

if __name__ == "__main__":
    sys.exit(product.main())
