"""Colours for greyscale pictures: a network sees them small, its chroma joins their own light at full size."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from translate import images
from translate.colour.hint_files import Hints, as_channels, check_hints, find_hints, read_hints
from translate.colour.hints import fit_correction
from translate.colour.lab import MOST_CHROMA, to_network
from translate.colour.monochrome import is_monochrome, tone, tone_at
from translate.colour.painting import Adjust, paint, painted_at, reduced_light
from translate.colour.sampling import perturbed
from translate.colour.spreading import spread
from translate.colour.transfer import reference_of, transfer
from translate.config import ColouringSettings
from translate.errors import ConfigError, ImageError, NotFiniteError
from translate.networks.blocks import translate_any_size
from translate.networks.colour_unet import ColourUNet, is_classifier
from translate.rendering.base import Guide, Passage, Tell

LONGEST = 8
"""Times the shorter side: a longer picture is seen smaller."""
WARMTH = (3.0, 12.0)
"""What warmth 1 adds to a* and b*."""
COLOURLESS = 5.0
"""Of a* and b*: a reference with no more is grey."""
TONED = "is a brown, blue or otherwise toned print: colorized as greyscale"
LEFT = "is in colour already and was left as it is (--recolor gives it new colours)"
LEFT_HINTED = "is in colour already and was left as it is: its hints were not used (--recolor colorizes it with them)"
_PLAIN = ColouringSettings.checked({})


@dataclass(frozen=True)
class Colouring:
    """Renders pictures of 1 or 3 channels by a network that was trained at `size` and takes `takes` channels.

    It takes light (1 channel), or light and hints (4), and gives chroma. The result has three channels, the picture's
    depth and its L* to within 0.5; a picture in colour is left as it is unless settings.recolor.
    """

    size: int
    takes: int
    settings: ColouringSettings = _PLAIN

    channels = (0, 3)
    alone = chained = keeps = False
    signature = ""

    @property
    def described(self) -> dict[str, Any]:
        return {"colours": self.settings.model_dump(mode="json")}

    @property
    def key(self) -> str:
        """The settings, with the contents of the reference instead of its name."""
        chosen = self.settings.model_dump_json(exclude={"hints", "reference", "variants"})
        digest = "" if self._reference is None else hashlib.sha256(self._reference.tobytes()).hexdigest()
        return f"{self.size} {chosen} {digest}"

    @cached_property
    def _reference(self) -> np.ndarray | None:
        if self.settings.reference is None:
            return None
        pixels = images.to_model(images.read(self.settings.reference))
        if pixels.shape[2] not in (1, 3):
            raise ImageError(f"{self.settings.reference}: a reference has 1 or 3 channels; it has {pixels.shape[2]}.")
        return reference_of(pixels)

    def check(self, network: nn.Module | None) -> None:
        """Raise, now, what every picture would fail with.

        ConfigError for settings, ImageError for the reference, DataError for one file of hints.
        """
        chosen = self.settings
        if chosen.hints is not None and not chosen.hints.exists():
            raise ConfigError(f"There is no file or folder of hints {chosen.hints}.")
        if chosen.hints is not None and chosen.hints.is_file():  # a pipe can be read once only
            check_hints(chosen.hints)
        if self._chooses or chosen.variants > 1:
            _classifier(network)
        if self._reference is not None and np.abs(self._reference).max() < COLOURLESS:
            raise ConfigError(f"The reference {chosen.reference} has no colours to take over.")

    def sized(self, height: int, width: int) -> tuple[int, int]:
        return height, width

    def files(self, source: Path, name: str) -> tuple[Path, ...]:
        place = self.settings.hints
        found = find_hints(place, name, source) if place is not None and place.is_dir() else place
        return () if found is None else (found,)

    def seen(self, pixels: np.ndarray) -> np.ndarray:
        return self._seen(reduced_light(pixels, *self._small(pixels)), None, pixels)

    def run(
        self, pixels: Sequence[np.ndarray], passage: Passage, tell: Tell, guides: Sequence[Guide]
    ) -> list[np.ndarray]:
        made = [self._as_it_is(each) for each in pixels]
        usual = self.settings.hints  # a file of hints is for pictures without a name, too
        usual = None if usual is None or usual.is_dir() else usual
        own = [guide.files[0] if guide.files else usual for guide in guides]
        given = [self._hints(path, each) for path, each in zip(own, pixels, strict=True)]
        for index, each in enumerate(made):
            if each is not None:
                tell(index, LEFT if given[index] is None else LEFT_HINTED)
            elif pixels[index].shape[2] == 3 and tone(pixels[index]).any():
                tell(index, TONED)
        grey = [index for index, each in enumerate(made) if each is None]
        if grey:
            hints = [given[index] for index in grey]
            lights = [reduced_light(pixels[index], *self._small(pixels[index])) for index in grey]
            seen = [self._seen(lights[n], hints[n], pixels[index]) for n, index in enumerate(grey)]
            for n, chroma in enumerate(self._chroma(seen, passage)):
                made[grey[n]] = self._painted(pixels[grey[n]], lights[n], chroma, hints[n])
        return [each for each in made if each is not None]

    def _as_it_is(self, pixels: np.ndarray) -> np.ndarray | None:
        """A copy of a picture in colour, if it is to stay. Raises ImageError unless there are 1 or 3 channels."""
        return None if is_monochrome(pixels) or self.settings.recolor else pixels.copy()

    def _small(self, pixels: np.ndarray) -> tuple[int, int]:
        """The size at which the network sees a picture; none is enlarged."""
        height, width = pixels.shape[:2]
        side = self.settings.render_size or self.size
        scale = min(1.0, side / min(height, width), LONGEST * side / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    def _hints(self, guide: Path | None, pixels: np.ndarray) -> Hints | None:
        return None if guide is None else read_hints(guide, *pixels.shape[:2])

    def _seen(self, light: np.ndarray, hints: Hints | None, pixels: np.ndarray) -> np.ndarray:
        shown = np.asarray(to_network(light[..., None]), np.float32)  # type: ignore[arg-type]
        if self.takes == 1:
            return shown
        given = np.zeros((*light.shape, self.takes - 1), np.float32)
        if hints is not None:
            given = as_channels(hints, *light.shape, *pixels.shape[:2])
        return np.concatenate([shown, given], axis=2)

    # Chroma

    def _chroma(self, seen: list[np.ndarray], passage: Passage) -> list[np.ndarray]:
        """a* and b* (h, w, 2) for each of `seen`, in the manner of the reference, as strong as asked for."""
        if self._chooses:
            answered = [self._chosen(each, passage) for each in seen]
        else:
            answered = passage.run(seen)
        return [self._graded(each * np.float32(MOST_CHROMA)) for each in answered]

    @property
    def _chooses(self) -> bool:
        """Whether another answer is asked for than the one that the network gives."""
        chosen = (self.settings.temperature, self.settings.vividness, self.settings.seed)
        return any(each is not None for each in chosen)

    @torch.no_grad()
    def _chosen(self, seen: np.ndarray, passage: Passage) -> np.ndarray:
        """The network's answer at the temperature and vividness that were asked for, or one drawn by the seed."""
        network, settings = _classifier(passage.network), self.settings

        def answer(values: Tensor) -> Tensor:
            logits = network.logits(values)
            if settings.seed is None:
                return network.chroma(logits, settings.temperature, settings.vividness)
            draws = torch.Generator().manual_seed(settings.seed)
            drawn = perturbed(network.weighed(logits, settings.vividness), network.centres, draws)
            return network.chroma(drawn, settings.temperature, 1.0)

        answer.multiple, answer.minimum = network.multiple, network.minimum  # type: ignore[attr-defined]
        batch = torch.from_numpy(seen).permute(2, 0, 1)[None].to(network.centres.device)
        made = translate_any_size(answer, batch)  # type: ignore[arg-type]
        if not made.isfinite().all():
            raise NotFiniteError("the model gives values that are not finite.")
        return made[0].permute(1, 2, 0).float().cpu().numpy()

    def _graded(self, chroma: np.ndarray) -> np.ndarray:
        if self._reference is not None:
            chroma = transfer(chroma, self._reference)
        chroma = chroma * np.float32(self.settings.saturation)
        return chroma + np.float32(self.settings.warmth) * np.array(WARMTH, np.float32)

    # Full size

    def _painted(self, pixels: np.ndarray, light: np.ndarray, chroma: np.ndarray, hints: Hints | None) -> np.ndarray:
        toned = adjust = self._toned(pixels)
        if hints is not None:
            chroma = chroma + _spread(hints, light, chroma, pixels, toned)
            own, before = painted_at(pixels, chroma, hints.pixels, adjust=toned, small_light=light)
            adjust = _after(toned, fit_correction(hints, own, before, *pixels.shape[:2]))
        return paint(pixels, chroma, adjust=adjust, small_light=light)

    def _toned(self, pixels: np.ndarray) -> Adjust | None:
        if not self.settings.keep_tone or pixels.shape[2] == 1:
            return None
        curve = tone(pixels)
        return lambda light, chroma, first_row: chroma + tone_at(curve, light)


def _classifier(network: nn.Module | None) -> ColourUNet:
    if network is None or not is_classifier(network):
        raise ConfigError(
            "temperature, vividness, seed and variants choose among a classification head's answers, which this model "
            + ("does not have." if network is not None else "cannot give: it is an exported one.")
        )
    assert isinstance(network, ColourUNet)
    return network


def _spread(
    hints: Hints, light: np.ndarray, chroma: np.ndarray, pixels: np.ndarray, toned: Adjust | None
) -> np.ndarray:
    """What the network's chroma (h, w, 2) lacks at the hints, carried on to where the light goes on as it is there."""
    shape = np.array(light.shape)
    places = np.minimum((hints.places * (shape / pixels.shape[:2])).astype(np.int64), shape - 1)
    shown = torch.from_numpy(chroma).permute(2, 0, 1)
    if toned is not None:
        shown = toned(torch.from_numpy(light), shown, 0)
    before = shown[:, places[:, 0], places[:, 1]].T.numpy()
    return spread(light, places, hints.chroma - before)


def _after(toned: Adjust | None, corrected: Adjust) -> Adjust:
    """Hints hold in what the tone leaves."""
    if toned is None:
        return corrected
    return lambda light, chroma, first_row: corrected(light, toned(light, chroma, first_row), first_row)
