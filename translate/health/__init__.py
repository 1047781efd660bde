"""The health of training: signs gathered while it runs, and a verdict on them in plain words."""

from translate.health.monitor import MARK, Monitor
from translate.health.verdict import HEALTHY, Verdict

__all__ = ["HEALTHY", "MARK", "Monitor", "Verdict"]
