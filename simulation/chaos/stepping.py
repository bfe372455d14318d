"""The Celery app for a store whose clock a simulation sets: ``celery -A simulation.chaos.stepping worker``.

It is the product's own app; only the clock that its scripts read runs ahead, by the key of
``worker/store/redis/ahead.py``.
"""

from __future__ import annotations

from functools import partial

import worker.celery as product
from worker import bootstrap
from worker.store import Store

setattr(bootstrap, "build", partial(bootstrap.build, ahead=True))  # noqa: B010 - no part of the product asks for it
setattr(product, "Store", partial(Store, ahead=True))  # noqa: B010

app = product.app
