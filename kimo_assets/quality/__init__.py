"""What data must satisfy: the checks of each layer, with their queries and thresholds. No Dagster.

A check looks at what a step left in the database or in the sync store and gives a result. How a
result is shown is defs/asset_checks.py's.
"""

from kimo_assets.quality.data_checks import CHECKS
from kimo_assets.quality.export_check import NOTHING_IS_STUCK
from kimo_assets.quality.finding import Check, CheckResult
from kimo_assets.quality.payload_check import PAYLOADS_ARE_WHOLE

ALL_CHECKS: tuple[Check, ...] = (PAYLOADS_ARE_WHOLE, NOTHING_IS_STUCK, *CHECKS)

__all__ = ["ALL_CHECKS", "Check", "CheckResult"]
