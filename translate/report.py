"""One line of the log, and what is counted between two of them."""

import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from translate.means import Means
from translate.training.trainer import Trainer


@dataclass(frozen=True)
class Report:
    """Mean losses since the last report, rates, speed and where the time went."""

    step: int
    epoch: float
    losses: dict[str, float]
    rates: dict[str, float]
    images_per_second: float
    steps_per_second: float
    data_share: float
    verdict: str = ""

    def line(self) -> dict[str, Any]:
        """What log.jsonl says."""
        return {
            "step": self.step,
            "epoch": round(self.epoch, 4),
            **self.losses,
            **{f"{player}/learning_rate": rate for player, rate in self.rates.items()},
            "images_per_second": round(self.images_per_second, 3),
            "data_share": round(self.data_share, 4),
        }


class Window:
    """The steps since the last report."""

    def __init__(self) -> None:
        self.steps = self.images = 0
        self._means = Means()
        self._waited = 0.0
        self._began = time.perf_counter()

    def add(self, losses: dict[str, Tensor], images: int, waited: float) -> None:
        """Count a step on `images` images, for which the data were waited for `waited` seconds."""
        self._means.add(losses)
        self.steps += 1
        self.images += images
        self._waited += waited

    def leave_out(self, seconds: float) -> None:
        """Time that was not spent on training: speeds are those of training."""
        self._began += seconds

    def report(self, trainer: Trainer, verdict: str) -> Report:
        """Close the window; every process must call."""
        losses = self._means.take()
        elapsed = time.perf_counter() - self._began
        return Report(
            step=trainer.step,
            epoch=trainer.epoch,
            losses=losses,
            rates=trainer.current_rates(),
            images_per_second=self.images / elapsed,
            steps_per_second=self.steps / elapsed,
            data_share=self._waited / elapsed,
            verdict=verdict,
        )
