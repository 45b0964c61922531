"""Proofs on the operator's own machine: what is killed at any point leaves the old or the new state
whole.

Only ever in databases of our own making, on the configured server; they are dropped at the end.
"""

from kimo_assets.selftest.crashes import CrashReport, Killed, crash_test

__all__ = ["CrashReport", "Killed", "crash_test"]
