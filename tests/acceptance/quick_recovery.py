"""Settings with which another worker soon continues what a killed one had in hand."""

from __future__ import annotations

QUICK_RECOVERY = {
    "PARLEY_LEASE__PROCESS_TTL_SECONDS": "1.5",
    "PARLEY_LEASE__PROCESS_RENEW_SECONDS": "0.3",
    "PARLEY_AGENDA__TICK_SECONDS": "0.2",
    "PARLEY_AGENDA__GRACE_SECONDS": "1",
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_WORKER__LOG_LEVEL": "WARNING",
}
