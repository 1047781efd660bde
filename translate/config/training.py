"""How long, how fast and on what to train."""

from typing import Literal, Self

from pydantic import Field, model_validator

from translate.config.base import Config


class TrainingSettings(Config):
    """How long, how fast and on what to train; every mode shares these."""

    epochs: int | None = Field(
        None,
        ge=1,
        description="Passes over the data; default 200 unless --steps is given.",
    )
    steps: int | None = Field(None, ge=1, description="Optimizer steps, instead of --epochs.")
    seed: int = Field(0, ge=0, lt=2**31, description="Every random draw follows from it.")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")
    precision: Literal["auto", "32", "bf16", "64"] = Field(
        "auto",
        description="32, bf16 (autocast; norms' statistics and losses stay in 32), 64 for checking; auto: bf16 where "
        "the device computes faster in it and nothing is lost by it, else 32.",
    )
    execution: Literal["auto", "eager", "compile", "graph", "compile+graph"] = Field(
        "auto",
        description="How a step runs: eager, operation by operation; compile, networks through torch.compile; graph, "
        "the whole step as one CUDA graph; auto: the fastest that pays within the run. The log says which.",
    )
    tf32: bool = Field(True, description="Allow TF32 matrix products on a GPU in precision 32.")
    channels_last: bool | None = Field(
        None, description="Keep images in channels-last memory order; default: where that is faster."
    )
    checkpointing: bool = Field(
        False,
        description="Compute the generators' inner values a second time in the backward pass instead of keeping them: "
        "less memory, about a third more time, the same numbers.",
    )
    schedule: Literal["linear", "cosine", "step", "constant", "inverse"] = Field(
        "linear",
        description="Learning rate: linear (constant, then to zero from decay_start on), cosine, step, constant, "
        "inverse (divided by 1 + decay * step).",
    )
    decay: float = Field(0.0, ge=0, description="Of the inverse schedule.")
    decay_start: float = Field(0.5, ge=0, lt=1, description="Share of the run after which linear decays.")
    decay_every: float = Field(0.25, gt=0, le=1, description="Share of the run after which step decays again.")
    decay_factor: float = Field(0.1, gt=0, lt=1, description="What the step schedule multiplies the rate by.")
    ema: float = Field(0.0, ge=0, lt=1, description="Decay of the running average of the generators; 0: none.")
    clip: float = Field(0.0, ge=0, description="Largest norm of a player's gradient; 0: no clipping.")
    clip_value: float = Field(0.0, ge=0, description="Largest value in a player's gradient; 0: no clipping.")
    accumulate: int = Field(1, ge=1, description="Batches whose gradients make one step (spares memory in cycle only).")
    report_every: int = Field(50, ge=1, description="Steps between two lines of log.jsonl.")
    sample_every: int = Field(500, ge=0, description="Steps between two sample grids; 0: only at the end.")
    save_every: int = Field(500, ge=1, description="Steps between two checkpoints.")
    validate_every: int = Field(1000, ge=0, description="Steps between two validations; 0: only at the end.")
    validate_images: int = Field(64, ge=1, description="Held-out images that a validation looks at, at most.")
    health_every: int = Field(25, ge=0, description="Steps between two verdicts on the health of training; 0: none.")
    probe_every: int = Field(
        250, ge=0, description="Steps between two looks at fixed inputs, for the verdict; 0: none."
    )
    on_trouble: Literal["warn", "stop", "act"] = Field(
        "warn",
        description="What to do when training is sick: warn; stop; act (back to the last healthy checkpoint with half "
        "the learning rate, at most three times).",
    )
    threads: int = Field(0, ge=0, le=1024, description="Threads of the CPU to compute with; 0: as torch chooses.")
    deterministic: bool = Field(
        False, description="Same seed, same machine, same weights to the last bit also on a GPU (slower there)."
    )
    licence: str = Field("", description="Note on the licence of model and data that the model files carry.")
    tensorboard: bool = Field(False, description="Write TensorBoard files too (needs the extra tensorboard).")

    @model_validator(mode="after")
    def _trouble_is_looked_for(self) -> Self:
        if self.on_trouble != "warn" and not self.health_every:
            raise ValueError(f"on_trouble={self.on_trouble} waits for verdicts, and health_every=0 asks for none")
        return self

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps are both given: choose one")
        return self
