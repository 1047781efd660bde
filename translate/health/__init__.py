"""The health of training: signs gathered while it runs, and a verdict on them in plain words."""

from translate.health.monitor import MARK, Monitor
from translate.health.rules import EARLY, sure
from translate.health.verdict import HEALTHY, NOT_FINITE, Verdict

__all__ = ["EARLY", "HEALTHY", "MARK", "NOT_FINITE", "Monitor", "Verdict", "sure"]
