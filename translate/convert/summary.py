"""What became of a conversion: counts, failures, speed; the same for one process and for several."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

MOST_EXAMPLES = 1000
"""Names kept for a note: of a million images that are all noted, not all can stand in memory and in a report."""


@dataclass
class Summary:
    """Counts of outputs made now, made before and failed; `failed` says why, by input; `notes` how often what was said,
    `examples` of which images, the first ones.

    `per_second` is the rate between the first and the last output, start-up aside. `flicker` is, for a clip, the mean
    absolute difference from frame to frame, in 1/255: of the inputs, of the outputs.
    """

    translated: int = 0
    skipped: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    per_second: float = 0.0
    engine: str = ""
    stopped: bool = False
    flicker: tuple[float, float] | None = None

    def note(self, text: str, name: str) -> None:
        """Count a note about the image `name`."""
        self.notes[text] = self.notes.get(text, 0) + 1
        named = self.examples.setdefault(text, [])
        if len(named) < MOST_EXAMPLES:
            named.append(name)

    def as_dict(self) -> dict[str, Any]:
        """The summary for JSON."""
        found = self.translated + self.skipped + len(self.failed)
        return {"found": found, **asdict(self), "steady_images_per_second": self.per_second}


def merged(parts: Iterable[Summary]) -> Summary:
    """The summary of processes that worked side by side."""
    whole = Summary()
    for part in parts:
        whole.translated += part.translated
        whole.skipped += part.skipped
        whole.failed |= part.failed
        for text, count in part.notes.items():
            whole.notes[text] = whole.notes.get(text, 0) + count
            named = whole.examples.setdefault(text, [])
            named += part.examples.get(text, [])[: MOST_EXAMPLES - len(named)]
        whole.seconds = max(whole.seconds, part.seconds)
        whole.per_second += part.per_second
        whole.engine = whole.engine or part.engine
        whole.stopped |= part.stopped
        whole.flicker = whole.flicker or part.flicker
    return whole
