"""What a look at the health of training comes to: a name, why, and what to do about it."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """`cause` is what was seen, with its figures; `remedy` is one thing to try next."""

    name: str
    cause: str = ""
    remedy: str = ""

    @property
    def healthy(self) -> bool:
        return self.name == "healthy"

    @property
    def line(self) -> str:
        """The verdict in one line."""
        return self.name if self.healthy else f"{self.name}: {self.cause}. {self.remedy}"


HEALTHY = Verdict("healthy")
