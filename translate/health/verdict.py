"""What a look at the health of training comes to: a name, why, and what to do about it."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """`cause` is what was seen, with its figures; `remedy` is one thing to try next. Neither ends in a full stop."""

    name: str
    cause: str = ""
    remedy: str = ""

    @property
    def healthy(self) -> bool:
        return self.name == "healthy"

    @property
    def line(self) -> str:
        """The verdict in one line, to stand after "Step 100: "."""
        said = ". ".join(part.rstrip(". ") for part in (self.cause, self.remedy) if part)
        return f"{self.name}: {said}" if said else self.name


HEALTHY = Verdict("healthy")
NOT_FINITE = Verdict(
    "exploding", "a loss or gradient is not finite", "Lower learning_rate, or bound gradients with clip"
)
