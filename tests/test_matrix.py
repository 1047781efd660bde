"""Every game with every objective and every penalty or constraint: it trains, or it is refused with the reason."""

import pytest
import torch
from test_methods import ADVERSARIAL, TRANSLATE, batch, make
from test_trainer import CPU, lowered

from translate.config import TrainingSettings
from translate.errors import ConfigError
from translate.objectives import OBJECTIVES
from translate.objectives.penalties import PENALTIES
from translate.training.trainer import Trainer

STEPS = {"dcgan": 20, "pix2pix": 20, "colorize": 6, "cycle": 4, "distill": 6}
"""Fewer where a step takes longer; all passed with 20."""
HELD_BACK = {"weight_clip": 0.01, "spectral_norm": True}
"""Constraints on D, beside the penalties."""


@pytest.mark.parametrize("hold", [None, *PENALTIES, *HELD_BACK])
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("mode", ADVERSARIAL)
def test_it_trains_or_says_why_not(mode: str, objective: str, hold: str | None):
    values = {"objective": objective, "gradient_penalty": 0, "norm_d": "instance"}
    if hold:
        values[hold] = HELD_BACK.get(hold, 1.0)
    if OBJECTIVES[objective].energy and mode in {*TRANSLATE, "distill"}:
        with pytest.raises(ConfigError, match="takes the energies of an auto-encoder"):
            make(mode, **values)
        return
    trained = Trainer(make(mode, **values), TrainingSettings.checked({"steps": 20}), 20, 20, CPU)
    for _ in range(STEPS[mode]):
        losses = trained.advance([batch(mode=mode)])
        assert all(torch.isfinite(torch.tensor(value)) for value in lowered(losses).values())
    assert ("D/penalty" in losses or "D/penalty_a" in losses) == (hold in PENALTIES)
    if hold == "weight_clip":
        assert max(p.abs().max() for n, p in trained.method.named_parameters() if "discriminator" in n) <= 0.01


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("mode", ADVERSARIAL)
def test_batch_norm_and_a_penalty_are_refused(mode: str, penalty: str):
    with pytest.raises(ConfigError, match="set norm_d=instance"):
        make(mode, norm_d="batch", **{penalty: 1.0})
