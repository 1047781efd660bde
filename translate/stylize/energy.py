"""How far a picture is from being the content in the manner of the paintings, and which way is downhill.

    total = content * C + strength * sum of w_l S_l + variation * V + temporal * T

C and S are relative (translate.style): 0 where reached, about 1 far away, whatever the features. T is the mean square
distance from the frame before, moved along, where that can be trusted, over 0.1 squared. Layers' weights sum to 1, and
so do paintings'. A picture whose features would take too much memory is measured in tiles, twice: first the sums that
the statistics of the whole are made of, then, with the gradient of the loss by those sums, the gradient of each tile.
It is the gradient of the whole.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from translate.style import Target
from translate.style.content import content_loss, content_scale, picture_loss
from translate.style.recipe import Recipe
from translate.style.variation import total_variation
from translate.stylize.descent import Measured
from translate.stylize.places import draw_places, generator, region_of
from translate.stylize.tiles import Tile, grids, plan_tiles
from translate.stylize.weights import Painting, Steady, Weights

MOST_PLACES = 8192
"""Drawn of a layer each step, where places are drawn; of a large picture one in SPARSE pixels, at most MANY."""
SPARSE, MANY = 32, 2**16
SEEN = 0.01
"""Mean square distance from the frame before, in [-1, 1], that counts as 1: a flicker that nobody misses."""
TARGET_PLACES = 4 * MOST_PLACES
"""Drawn of a layer of a painting, once."""


class Energy:
    """Measures pictures (1, 3, h, w) in [-1, 1]. `region`, (1, 1, h, w) in [0, 1], is where the paintings go.

    The picture itself is `base` where the region is 0, and what is measured where it is 1.
    """

    def __init__(
        self,
        recipe: Recipe,
        content: Tensor,
        paintings: Sequence[Painting],
        weights: Weights,
        *,
        seed: int,
        budget: int,
        base: Tensor | None = None,
        region: Tensor | None = None,
        steady: Steady | None = None,
    ) -> None:
        self.recipe, self.paintings, self.weights, self.seed = recipe, paintings, weights, seed
        self.content, self.base, self.region, self.steady = content, base, region, steady
        self.height, self.width = content.shape[-2:]
        self.tiles = [Tile(((0, self.height), (0, self.width)), ((0, self.height), (0, self.width)))]
        self.grids: dict[str, tuple[int, int]] = {}
        self._regions: dict[str, Tensor] = {}
        if recipe.layers and not recipe.features.sampled:
            self.tiles = plan_tiles(recipe.features, recipe.layers, self.height, self.width, budget)
        if len(self.tiles) > 1:
            self.grids = grids(recipe.features, recipe.layers, self.height, self.width)
        self.wanted = self._content_maps() if weights.content else {}
        self.scales = {name: content_scale(values) for name, values in self.wanted.items()}

    def __call__(self, image: Tensor, step: int) -> Measured:
        shown = self.shown(image)
        parts, gradient = self._direct(shown)
        if self.recipe.layers and (self.weights.strength or self.wanted):
            measured = self._whole(shown, step) if len(self.tiles) == 1 else self._tiled(shown, step)
            gradient = gradient + measured.gradient
            for name, value in measured.parts.items():
                parts[name] = parts.get(name, 0.0) + value
        return Measured(parts, gradient if self.region is None else gradient * self.region)

    def shown(self, image: Tensor) -> Tensor:
        """The picture itself: `base` outside the region."""
        return image if self.region is None or self.base is None else torch.lerp(self.base, image, self.region)

    @torch.no_grad()
    def noise(self) -> float:
        """The style loss that a painting gets from itself, where places are drawn: draws differ. Half as much again."""
        if not self.recipe.drawn:
            return 0.0
        total = 0.0
        for number, (name, weight) in enumerate(self.recipe.style_layers.items()):
            for painting in self.paintings:
                if name in painting.targets and self.recipe.statistic.sampled:
                    draw = generator(self.seed, number, 2)
                    target = painting.targets[name]
                    count = min(MOST_PLACES, target.summary.shape[-1])
                    some = self._drawn(target, count, draw, always=True).summary
                    other = self._drawn(target, count, draw, always=True)
                    loss = self.recipe.statistic.loss(some, other, draw)
                    total += weight * painting.weight * float(loss.sum())
        return 1.5 * total

    def _direct(self, shown: Tensor) -> tuple[dict[str, float], Tensor]:
        """The parts that pixels alone decide."""
        weights = self.weights
        losses: dict[str, Tensor] = {}
        with torch.enable_grad():
            image = shown.detach().requires_grad_()
            if weights.content and not self.recipe.content_layers:
                losses["content"] = weights.content * picture_loss(image, self.content, self.region).sum()
            if weights.variation:
                losses["variation"] = weights.variation * total_variation(image).sum()
            if self.steady and weights.temporal:
                off = ((image - self.steady.image).square() * self.steady.trust).mean()
                losses["temporal"] = weights.temporal * off / SEEN
            if not losses:
                return {}, torch.zeros_like(shown)
            (gradient,) = torch.autograd.grad(torch.stack(list(losses.values())).sum(), image)
        return {name: float(value.detach()) for name, value in losses.items()}, gradient

    def _whole(self, shown: Tensor, step: int) -> Measured:
        with torch.enable_grad():
            image = shown.detach().requires_grad_()
            maps = self.recipe.features(image, self.recipe.layers)
            places = {name: self._places(name, self.recipe.features.grid(maps[name]), step) for name in self._styled()}
            summaries = {name: self._summary(name, maps[name], places[name]) for name in places}
            style = self._style(summaries, step)
            content = self._content(maps, None)
            (gradient,) = torch.autograd.grad(style + content, image)
        return Measured({"style": float(style.detach()), "content": float(content.detach())}, gradient)

    def _tiled(self, shown: Tensor, step: int) -> Measured:
        places = {name: self._places(name, self.grids[name], step) for name in self._styled()}
        leaves = {name: joined.requires_grad_() for name, joined in self._joined(shown, places).items()}
        with torch.enable_grad():
            style = self._style(leaves, step)
        slopes = dict(zip(leaves, torch.autograd.grad(style, list(leaves.values())), strict=True)) if leaves else {}
        gradient, content, starts = torch.zeros_like(shown), 0.0, dict.fromkeys(slopes, 0)
        for tile in self.tiles:
            with torch.enable_grad():
                image = tile.look(shown).detach().clone().requires_grad_()
                maps = self.recipe.features(image, self.recipe.layers)
                own = self._content(maps, tile)
                leaning = own
                for name, summary in self._tile_summaries(tile, maps, places).items():
                    slope = slopes[name]
                    if self.recipe.statistic.sampled:
                        first, starts[name] = starts[name], starts[name] + summary.shape[-1]
                        slope = slope[..., first : starts[name]]
                    leaning = leaning + (summary * slope).sum()
                if leaning.requires_grad:
                    tile.look(gradient).add_(torch.autograd.grad(leaning, image)[0])
            content += float(own.detach())
        return Measured({"style": float(style.detach()), "content": content}, gradient)

    @torch.no_grad()
    def summaries(self, most: int) -> dict[str, Tensor]:
        """What `content`, a painting, is as style; where places are drawn, from up to `most` of them."""
        names = list(self.recipe.style_layers)
        if len(self.tiles) > 1:
            return self._joined(self.content, {name: self._places(name, self.grids[name], 0, most) for name in names})
        maps = self.recipe.features(self.content, names)
        grids = {name: self.recipe.features.grid(maps[name]) for name in names}
        return {name: self._summary(name, maps[name], self._places(name, grids[name], 0, most)) for name in names}

    @torch.no_grad()
    def _joined(self, shown: Tensor, places: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
        """The summaries of a whole picture, put together from those of its tiles."""
        parts: dict[str, list[Tensor]] = {name: [] for name in places}
        for tile in self.tiles:
            maps = self.recipe.features(tile.look(shown), self.recipe.layers)
            for name, summary in self._tile_summaries(tile, maps, places).items():
                if self.recipe.statistic.sampled or not parts[name]:
                    parts[name].append(summary)
                else:
                    parts[name][0] += summary
        return {name: torch.cat(each, dim=-1) if len(each) > 1 else each[0] for name, each in parts.items()}

    def _styled(self) -> Sequence[str]:
        return list(self.recipe.style_layers) if self.weights.strength and self.paintings else []

    def _style(self, summaries: Mapping[str, Tensor], step: int) -> Tensor:
        total = self.content.new_zeros(())
        for number, (name, summary) in enumerate(summaries.items()):
            for painting in self.paintings:
                if painting.weight and name in painting.targets:
                    draw = generator(self.seed, step, number, 1)
                    target = self._drawn(painting.targets[name], summary.shape[-1], draw)
                    loss = self.recipe.statistic.loss(summary, target, draw).sum()
                    total = total + self.recipe.style_layers[name] * painting.weight * loss
        return self.weights.strength * total

    def _drawn(self, target: Target, count: int, draw: torch.Generator, always: bool = False) -> Target:
        """Of columns of a painting as many as the picture has: all of them would cost more than the picture does."""
        columns = target.summary
        if not self.recipe.statistic.sampled or (columns.shape[-1] <= count and not always):
            return target
        chosen = torch.randint(columns.shape[-1], (count,), generator=draw).to(columns.device)
        return target._replace(summary=columns.index_select(columns.dim() - 1, chosen))

    def _summary(self, name: str, values: Tensor, places: Tensor | None) -> Tensor:
        weights = None if self.recipe.drawn else self._region_of(name, values.shape[-2:], values)
        return summary_of(self.recipe, values, places, weights)

    def _tile_summaries(
        self, tile: Tile, maps: Mapping[str, Tensor], places: Mapping[str, Tensor | None]
    ) -> dict[str, Tensor]:
        found = {}
        for name, drawn in places.items():
            stride = self.recipe.features.stride(name)
            spans = tile.spans((self.height, self.width), self.grids[name], stride)
            values = tile.cut(maps[name], spans, stride)
            (top, bottom), (left, right) = spans
            if drawn is not None:
                rows, columns = drawn // self.grids[name][1], drawn % self.grids[name][1]
                here = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
                drawn = (rows[here] - top) * (right - left) + columns[here] - left
                found[name] = summary_of(self.recipe, values, drawn, None)
                continue
            weights = self._region_of(name, self.grids[name], values)
            if weights is not None:
                weights = weights.reshape(self.grids[name])[top:bottom, left:right].flatten()
            found[name] = summary_of(self.recipe, values, None, weights)
        return found

    def _places(self, name: str, grid: tuple[int, int], step: int, most: int | None = None) -> Tensor | None:
        if not self.recipe.drawn:
            return None
        most = max(MOST_PLACES, min(MANY, self.height * self.width // SPARSE)) if most is None else most
        weights = self._region_of(name, grid, self.content)
        draw = generator(self.seed, step, self.recipe.features.layers.index(name))
        return draw_places(grid, most, weights, draw)

    def _region_of(self, name: str, grid: Sequence[int], like: Tensor) -> Tensor | None:
        """How much each place of a layer's grid is in the region, (places,); None where all are alike."""
        if self.region is None:
            return None
        if name not in self._regions:
            features = self.recipe.features
            made = region_of(self.region, grid, features.stride(name), features.sampled)
            self._regions[name] = made.flatten().to(like.dtype)
        return self._regions[name]

    def _content_maps(self) -> dict[str, Tensor]:
        names = list(self.recipe.content_layers)
        if not names:
            return {}
        if len(self.tiles) == 1:
            with torch.no_grad():
                return dict(self.recipe.features(self.content, names))
        made: dict[str, Tensor] = {}
        for tile in self.tiles:
            with torch.no_grad():
                maps = self.recipe.features(tile.look(self.content), names)
            for name, values in maps.items():
                stride = self.recipe.features.stride(name)
                spans = tile.spans((self.height, self.width), self.grids[name], stride)
                if name not in made:
                    made[name] = values.new_zeros(1, values.shape[1], *self.grids[name])
                (top, bottom), (left, right) = spans
                made[name][..., top:bottom, left:right] = tile.cut(values, spans, stride)
        return made

    def _content(self, maps: Mapping[str, Tensor], tile: Tile | None) -> Tensor:
        """The content loss of the whole picture, or the part of it that a tile answers for."""
        total = self.content.new_zeros(())
        for name in self.wanted:
            wanted, values = self.wanted[name], maps[name]
            region = self._region_of(name, wanted.shape[-2:], wanted)
            weights = None if region is None else region.reshape(1, 1, *wanted.shape[-2:])
            share = self.weights.content * self.recipe.content_layers[name]
            if tile is None:
                total = total + share * content_loss(values, wanted, weights).sum()
                continue
            stride = self.recipe.features.stride(name)
            spans = tile.spans((self.height, self.width), wanted.shape[-2:], stride)
            (top, bottom), (left, right) = spans
            off = (tile.cut(values, spans, stride) - wanted[..., top:bottom, left:right]).square()
            if weights is not None:
                off = off * weights[..., top:bottom, left:right]
            count = wanted.numel() if weights is None else float(weights.sum()) * wanted.shape[1]
            total = total + share * off.sum() / count / self.scales[name].sum()
        return total


def summary_of(recipe: Recipe, values: Tensor, places: Tensor | None, weights: Tensor | None) -> Tensor:
    """The statistic's summary of a map (1, C, h, w), at `places` of its grid or at all."""
    columns = values.flatten(2) if places is None else recipe.features.columns(values, places.to(values.device))
    return recipe.statistic.summary(columns, weights)
