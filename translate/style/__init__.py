"""What of features is style, and what is content: losses, and the table of statistics, one file and one row each."""

from translate.config import near_miss
from translate.errors import ConfigError
from translate.style.base import Statistic, Target
from translate.style.content import content_loss, content_scale, gradient_loss, picture_loss
from translate.style.gram import Gram
from translate.style.recipe import Recipe, make_recipe
from translate.style.sliced import Sliced
from translate.style.variation import total_variation
from translate.style.wasserstein import Wasserstein

STATISTICS: dict[str, type[Statistic]] = {
    "gram": Gram,
    "wasserstein": Wasserstein,
    "sliced": Sliced,
}


def find_statistic(name: str) -> Statistic:
    """The statistic called `name`. Raises ConfigError, with the near miss, for an unknown one."""
    if name not in STATISTICS:
        raise ConfigError(f"Unknown statistic {name!r}.{near_miss(name, STATISTICS)} Known: {', '.join(STATISTICS)}.")
    return STATISTICS[name]()


__all__ = [
    "STATISTICS",
    "Recipe",
    "Statistic",
    "Target",
    "content_loss",
    "content_scale",
    "find_statistic",
    "gradient_loss",
    "make_recipe",
    "picture_loss",
    "total_variation",
]
