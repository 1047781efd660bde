"""Training to colorize: phases, their end, resume, what is left out, losses by hand, and that colours are learned."""

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from coloured_shapes import EITHER, ambiguous, determined, draw_lab
from conftest import TINY_MODES
from test_fit import assert_same, final
from test_methods import batch, make
from torch import Tensor

from translate import checkpoint
from translate.colour import bins
from translate.colour.lab import MOST_CHROMA, from_lab, to_lab
from translate.colour.monochrome import is_monochrome
from translate.colour.sampling import perturbed
from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.errors import ConfigError, DataError
from translate.fit import fit
from translate.images import Picture, read, write
from translate.methods import Held
from translate.methods.colorize import MEMORY, Colorize
from translate.metrics import COLOUR_METRICS
from translate.metrics.ab_psnr import ab_psnr
from translate.run import Run
from translate.training.trainer import Trainer

HEADS = ("regression", "classification")


def train(root: Path, out: Path, name: str = "run", quiet: bool = True, **values: Any) -> Path:
    given = TINY_MODES["colorize"] | {"steps": 12} | values
    return fit(root, mode="colorize", out=out, name=name, quiet=quiet, **given)


def colorize(**values: Any) -> Any:
    return make("colorize", **values)


def trainer(method: Colorize, steps: int = 10, **settings: Any) -> Trainer:
    return Trainer(method, TrainingSettings.checked({"steps": steps, **settings}), steps, steps, torch.device("cpu"))


def of(images: Tensor) -> Batch:
    return Batch(images, None, ("file",) * len(images))


def flat(*colours: tuple[float, float, float]) -> Batch:
    """One picture of 16 pixels a side for each colour, sRGB in [-1, 1]."""
    return of(torch.tensor(colours).view(-1, 3, 1, 1).expand(-1, -1, 16, 16).contiguous())


# Phases


@pytest.mark.parametrize(
    ("pretrain", "critic", "wanted"),
    [
        (0.5, 0.2, ["G"] * 5 + ["D"] * 2 + ["DG"] * 3),
        (0.7, 0.1, ["G"] * 7 + ["D"] + ["DG"] * 2),
        (0.3, 0, ["G"] * 3 + ["DG"] * 7),
        (0, 0.3, ["D"] * 3 + ["DG"] * 7),
        (0, 0, ["DG"] * 10),
        (1, 0, ["G"] * 10),
        (0, 1, ["D"] * 10),
        (0.4, 0.6, ["G"] * 4 + ["D"] * 6),
    ],
)
def test_who_plays_when(pretrain: float, critic: float, wanted: list[str]):
    method = colorize(pretrain=pretrain, critic=critic)
    method.plan(10)
    given = batch(mode="colorize")
    assert ["".join(turn.player for turn in method.step(given, index)) for index in range(10)] == wanted


@pytest.mark.parametrize("values", [{"head": "classification"}, {"gan": 0}])
def test_without_a_discriminator_there_is_one_player(values: dict[str, Any]):
    method = colorize(pretrain=0.5, critic=0.2, **values)
    method.plan(10)
    assert method.discriminator is None and set(method.optimizers()) == {"G"}
    for index in (0, 5, 9):
        assert [turn.player for turn in method.step(batch(mode="colorize"), index)] == ["G"]
    assert not any(method.looks(step) for step in range(1000))


def test_each_phase_has_its_losses_and_moves_its_player_alone():
    method = colorize(pretrain=0.4, critic=0.2)
    trained = trainer(method, 5)
    seen = []
    for _ in range(5):
        before = [[p.clone() for p in network.parameters()] for network in (method.generator, method.discriminator)]
        losses = {name for name in trained.advance([batch(mode="colorize")]) if not name.startswith("health/")}
        now = (method.generator.parameters(), method.discriminator.parameters())
        moved = [not all(map(torch.equal, *each)) for each in zip(before, now, strict=True)]
        seen.append((losses, moved))
    assert seen[:2] == [({"G/l1"}, [True, False])] * 2
    assert seen[2:3] == [({"D/real", "D/fake"}, [False, True])]
    assert seen[3:] == [({"D/real", "D/fake", "G/l1", "G/gan"}, [True, True])] * 2


# The end


def history(method: Colorize, **distances: float) -> list[Held]:
    """Looks at held-out pictures, by step: "s12" is step 12."""
    return [
        Held(int(step[1:]), {"AtoB/colour_distance": value, "AtoB/ab_psnr": 20.0}) for step, value in distances.items()
    ]


def test_it_is_over_when_three_looks_are_no_better_than_the_best_before():
    method = colorize(pretrain=0.25, critic=0.05, look_every=10)
    method.plan(200)
    assert [step for step in range(1, 101) if method.looks(step)] == [60, 70, 80, 90, 100]
    assert not method.over([])
    assert not method.over(history(method, s70=2, s80=3, s90=4))
    assert not method.over(history(method, s70=3, s80=4, s90=4, s100=2))
    assert method.over(history(method, s70=3, s80=4, s90=4, s100=3))
    assert method.over(history(method, s70=3, s80=2, s90=2.1, s100=2, s110=3))
    # Validations of their own rhythm do not count.
    assert not method.over(history(method, s70=3, s71=4, s72=4, s73=4, s80=4))
    # What was seen before both had played says nothing about their game.
    assert not method.over(history(method, s20=0, s40=0, s60=0, s70=4, s80=3, s90=2))


def test_classification_and_one_without_a_discriminator_are_never_over():
    for values in ({"head": "classification"}, {"gan": 0}):
        method = colorize(**values)
        method.plan(100)
        assert not method.over(history(method, s1=1, s2=2, s3=3, s4=4))


@pytest.fixture
def turning(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Distances that each look at held-out pictures finds, from the first on."""
    found = [5.0, 4.0, 3.0, 2.0, 3.0, 4.0, 5.0]
    looked = iter(found)
    monkeypatch.setattr(Colorize, "evaluate", lambda *_: {"AtoB/colour_distance": next(looked), "AtoB/ab_psnr": 20.0})
    return found


# Two steps between looks, the first of them when both begin to play, after step 12.
TURNING = {"steps": 40, "pretrain": 0.2, "critic": 0.1, "look_every": 2, "validate_every": 0, "sample_every": 0}


def test_a_run_ends_by_itself_with_its_best_model_and_stays_ended(
    pictures: Path, tmp_path: Path, turning: list[float], capsys: pytest.CaptureFixture[str]
):
    run = train(pictures, tmp_path, quiet=False, **TURNING)
    said = capsys.readouterr().err
    assert "The held-out images got no better: ended at step 24 of 40, with the best." in said
    assert f"Done: {run}." in said and "--resume" not in said
    assert final(run)["step"] == 24
    model = (run / "model.safetensors").read_bytes()
    assert model == (run / "best.safetensors").read_bytes()
    assert checkpoint.load_model(run / "model.safetensors").about.step == 18
    state = final(run)
    # Looking again would take more distances than there are.
    train(pictures, tmp_path, resume=True, **TURNING)
    assert final(run)["step"] == 24
    assert (run / "model.safetensors").read_bytes() == (run / "best.safetensors").read_bytes() == model
    assert_same(final(run), state)


def test_a_run_that_is_stopped_on_its_way_ends_at_the_same_step(
    pictures: Path, tmp_path: Path, turning: list[float], monkeypatch: pytest.MonkeyPatch
):
    interrupt(monkeypatch, 23)
    run = train(pictures, tmp_path, **TURNING)
    assert final(run)["step"] == 23
    train(pictures, tmp_path, resume=True, **TURNING)
    assert final(run)["step"] == 24
    assert checkpoint.load_model(run / "model.safetensors").about.step == 18


def interrupt(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Let SIGTERM come after each of `steps`."""
    after = Run.after_step

    def interrupted(self: Run, *arguments: Any) -> Any:
        if self.trainer.step in steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return after(self, *arguments)

    monkeypatch.setattr(Run, "after_step", interrupted)


# Resume

PHASES = {"steps": 12, "pretrain": 4 / 12, "critic": 3 / 12, "look_every": 2, "ema": 0.9, "dropout": 0.3}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("stops", [(4, 7), (3, 5, 9)])
def test_resume_is_exact_across_phases(
    pictures: Path, tmp_path: Path, head: str, stops: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    values = PHASES | {"head": head, "rebalance": 0.9}
    whole = train(pictures, tmp_path, "whole", **values)
    interrupt(monkeypatch, *stops)
    parts = train(pictures, tmp_path, "parts", **values)
    for stop in stops:
        assert final(parts)["step"] == stop
        parts = train(pictures, tmp_path, "parts", resume=True, **values)
    assert_same(final(whole), final(parts))
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()
    assert ("prior" in final(whole)["method"]) == (head == "classification")


# Pictures


def toned(seed: int, tone: tuple[float, float, float]) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(40, 250, (4, 4, 1)).repeat(4, axis=0).repeat(4, axis=1)
    return (coarse * np.array(tone)).astype(np.uint8)


@pytest.fixture
def mixed(pictures: Path) -> Path:
    """The pictures as train and val, beside grey ones of one and of three channels and sepia ones."""
    for split in ("train", "val"):
        (pictures / split).mkdir()
    for index in range(12):
        (pictures / f"{index}.png").rename(pictures / ("train" if index < 8 else "val") / f"{index}.png")
    write(pictures / "train" / "grey.png", Picture(toned(1, (1, 1, 1))))
    write(pictures / "train" / "one.png", Picture(toned(2, (1, 1, 1))[..., :1]))
    write(pictures / "train" / "sepia.jpg", Picture(toned(3, (1, 0.85, 0.65))))
    write(pictures / "val" / "sepia.png", Picture(toned(4, (1, 0.85, 0.65))))
    return pictures


def test_the_fixtures_pictures_are_in_colour_also_as_jpeg(pictures: Path, tmp_path: Path):
    for path in pictures.iterdir():
        write(tmp_path / "coded.jpg", read(path))
        assert not is_monochrome(read(path).pixels) and not is_monochrome(read(tmp_path / "coded.jpg").pixels)


def test_grey_and_sepia_pictures_are_left_out_with_a_notice(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = train(mixed, tmp_path, quiet=False)
    said = capsys.readouterr().err
    assert f"Left out 3 of 11 images: {mixed / 'train' / 'grey.png'} is grey, for one." in said
    assert f"Left out 1 of 5 images: {mixed / 'val' / 'sepia.png'} is grey." in said
    assert "held out" not in said, "there is a val split"
    for name in ("train/grey.png", "train/one.png", "train/sepia.jpg"):
        (mixed / name).unlink()
    without = train(mixed, tmp_path, "without")
    assert_same(final(run)["method"], final(without)["method"])


def test_an_all_grey_folder_is_refused(tmp_path: Path):
    for index in range(10):
        (tmp_path / "grey").mkdir(exist_ok=True)
        write(tmp_path / "grey" / f"{index}.png", Picture(toned(index, (1, 0.85, 0.65) if index % 2 else (1, 1, 1))))
    with pytest.raises(DataError, match=r"Nothing can be learned from these images; add others.\n .*0.png is grey"):
        train(tmp_path / "grey", tmp_path)
    assert not (tmp_path / "run").exists()


def test_what_is_held_out_is_in_colour(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Grey pictures by far in the majority, whatever their names: no run is refused for what it would hold out."""
    for index in range(60):
        write(pictures / f"grey{index}.png", Picture(toned(index, (1, 1, 1))))
    train(pictures, tmp_path, quiet=False, steps=1)
    said = capsys.readouterr().err
    assert "There is no val split: 2 of 72 images are held out, chosen by name." in said
    assert "Left out 60 of 70 images" in said


def test_a_few_pictures_train_without_validation(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for index in range(7, 12):
        (pictures / f"{index}.png").unlink()
    run = train(pictures, tmp_path, quiet=False)
    assert "no validation" in capsys.readouterr().err
    assert not (run / "best.safetensors").exists() and (run / "samples" / "000012.png").exists()


def test_other_channels_and_the_other_direction_are_refused(tmp_path: Path, pictures: Path):
    for index in range(4):
        (tmp_path / "five").mkdir(exist_ok=True)
        np.save(tmp_path / "five" / f"{index}.npy", np.zeros((16, 16, 5), np.uint8))
    with pytest.raises(ConfigError, match="pictures of 3 channels; these have 5"):
        train(tmp_path / "five", tmp_path)
    with pytest.raises(ConfigError, match="one way, from grey to colour: leave --direction out"):
        train(pictures, tmp_path, direction="BtoA")
    assert not (tmp_path / "run").exists()
    for channels in ((1, 1), (4, 4)):
        with pytest.raises(ConfigError, match=f"these have {channels[0]}"):
            make("colorize", channels)


@pytest.mark.parametrize("head", HEADS)
def test_hints_are_three_channels_more(head: str):
    for hints, count in ((True, 4), (False, 1)):
        method = colorize(head=head, hints=hints)
        assert method.generator.arguments["in_channels"] == count
        assert method.channels == (1, 3)
        trainer(method).advance([batch(mode="colorize")])


@pytest.mark.parametrize("generator", ["unet", "resnet"])
def test_other_generators_regress_only(generator: str):
    with pytest.raises(ConfigError, match=f"a {generator} has no classification head: set head=regression"):
        colorize(head="classification", generator=generator)
    shape = {"depth": 2} if generator == "unet" else {"blocks": 1}
    trainer(colorize(generator=generator, **shape)).advance([batch(mode="colorize")])


def test_phases_longer_than_the_run_are_refused():
    with pytest.raises(ConfigError, match="pretrain 0.7 and critic 0.4 are more than the whole run"):
        colorize(pretrain=0.7, critic=0.4)
    assert all(colorize(pretrain=share / 20, critic=(20 - share) / 20) for share in range(21))


# Numbers


@pytest.mark.parametrize("head", HEADS)
def test_bf16_computes_colours_in_full_precision(head: str, monkeypatch: pytest.MonkeyPatch):
    """Light, chroma and classes are, bit by bit, those of precision 32; only the networks differ."""
    encode = bins.encode
    seen: list[Tensor] = []

    def spy(*arguments: Tensor) -> tuple[Tensor, Tensor]:
        found = encode(*arguments)
        seen.extend((arguments[0], *found))
        return found

    monkeypatch.setattr(bins, "encode", spy)
    losses, priors = [], []
    for enabled in (False, True):
        method = colorize(head=head, width=8)
        method.plan(10)
        torch.manual_seed(5)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found = {
                name: loss for turn in method.step(batch(mode="colorize"), 0) for name, loss in turn.losses.items()
            }
        assert all(loss.dtype == torch.float32 for loss in found.values())
        losses.append({name: loss.item() for name, loss in found.items()})
        priors.append(method.prior.clone() if head == "classification" else torch.zeros(()))
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert torch.equal(*priors)
    if head == "classification":
        plain, quick = seen[:3], seen[3:]
        assert all(map(torch.equal, plain, quick)) and plain[0].dtype == torch.float32


@pytest.mark.parametrize("hints", [True, False])
@pytest.mark.parametrize("head", HEADS)
def test_flat_pictures_train(head: str, hints: bool):
    """Black, white and grey; the trainer refuses a loss or a gradient that is not finite."""
    given = flat((-1, -1, -1), (1, 1, 1), (0, 0, 0), (1, -1, -1))
    for colour in range(4):
        trained = trainer(colorize(head=head, hints=hints, rebalance=1.0))
        for _ in range(3):
            trained.advance([of(given.a[colour : colour + 1].expand(2, -1, -1, -1).contiguous())])
    method = trained.method.eval()
    with torch.no_grad():
        scores = method.evaluate(iter([given]), method.generators())
    assert all(math.isfinite(value) for value in scores.values())


def test_classes_weigh_as_worked_by_hand():
    """Three pictures of one colour and one of another, both on a centre, and a network that holds all classes alike."""
    method = colorize(head="classification", rebalance=0.5, hints=False)
    count = len(bins.centres())
    method.generator.logits = lambda seen: torch.zeros(len(seen), count, 4, 4)
    colours = torch.tensor([[20.0, -10.0]] * 3 + [[-20.0, 30.0]])
    loss = method._cross_entropy(torch.zeros(4, 1, 16, 16), colours.view(4, 2, 1, 1).expand(-1, -1, 16, 16))
    # Shares of a colour on its centre: 1 itself and exp(-2) each of four neighbours, over their sum.
    near = 1 / (1 + 4 * math.exp(-2))
    shares = [0.75 * near, *4 * [0.75 * (1 - near) / 4], 0.25 * near, *4 * [0.25 * (1 - near) / 4]]
    weights = [1 / (0.5 * share + 0.5 / count) for share in shares]
    mean = sum(weight * share for weight, share in zip(weights, shares, strict=True))
    assert loss.item() == pytest.approx(math.log(count) * (0.75 * weights[0] + 0.25 * weights[5]) / mean, rel=1e-5)
    assert sorted(method.prior[method.prior > 0].tolist()) == pytest.approx(sorted(shares), rel=1e-5)


def test_without_rebalancing_the_loss_is_cross_entropy_with_soft_targets():
    """Against torch's, which takes whole distributions."""
    method = colorize(head="classification", rebalance=0.0, hints=False)
    count = len(bins.centres())
    logits = torch.randn(2, count, 4, 4, generator=torch.Generator().manual_seed(3))
    method.generator.logits = lambda _: logits
    _, chroma = to_lab(batch().a)
    small = chroma.unflatten(2, (4, 4)).unflatten(4, (4, 4)).mean(dim=(3, 5))
    classes, shares = bins.encode(small, bins.centres())
    soft = torch.zeros(2, count, 4, 4).scatter_(1, classes, shares)
    loss = method._cross_entropy(torch.zeros(2, 1, 16, 16), chroma)
    assert loss.item() == pytest.approx(torch.nn.functional.cross_entropy(logits, soft).item(), rel=1e-5)


def test_the_prior_is_the_mean_over_batches_and_then_forgets_slowly():
    method = colorize(head="classification")
    one, other = torch.tensor([0, 1]).view(2, 1, 1, 1, 1)
    share = torch.ones(1, 1, 1, 1)
    method._count(one, share)
    assert method.prior[:3].tolist() == [1, 0, 0]
    method._count(other, share)
    assert method.prior[:3].tolist() == pytest.approx([0.5, 0.5, 0])
    method.seen.fill_(5 * MEMORY)
    method._count(other, share)
    assert method.prior[:2].tolist() == pytest.approx([0.5 * (1 - 1 / MEMORY), 0.5 + 0.5 / MEMORY])
    assert method.prior.sum().item() == pytest.approx(1)


def test_the_l1_is_that_of_chroma_over_110():
    method = colorize(gan=0, l1=7.0, hints=False)
    method.generator.forward = lambda light: torch.zeros(len(light), 2, 16, 16, requires_grad=True)
    given = batch(mode="colorize")
    (turn,) = method.step(given, 0)
    assert turn.losses["l1"].item() == pytest.approx(7 * (to_lab(given.a)[1] / MOST_CHROMA).abs().mean().item())


# What is shown and scored


@torch.no_grad()
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("hints", [True, False])
def test_preview_shows_grey_ours_and_truth(head: str, hints: bool):
    method = colorize(head=head, hints=hints).eval()
    given = of(torch.rand(2, 3, 13, 22, generator=torch.Generator().manual_seed(0)) * 2 - 1)
    columns = method.preview(given, method.generators())
    assert list(columns) == ["grey", "ours", "truth"]
    assert all(column.shape == given.a.shape and column.abs().max() <= 1 + 1e-4 for column in columns.values())
    assert torch.equal(columns["truth"], given.a)
    assert (columns["grey"] - columns["grey"].mean(dim=1, keepdim=True)).abs().max() < 1e-3
    assert torch.allclose(to_lab(columns["grey"])[0], to_lab(given.a)[0], atol=0.05)


@pytest.mark.parametrize("head", HEADS)
def test_evaluate_reports_every_measure_of_colour(head: str):
    method = colorize(head=head).eval()
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        scores = method.evaluate((of(image[None]) for image in images), method.generators())
        alone = method.evaluate(iter([of(images[:1])]), method.generators())
        ours = method.colored(images, method.generator)
    names = ("ab_psnr", "delta_e", "colourfulness_ratio", "near_grey", "colour_distance")
    assert set(scores) == {f"AtoB/{name}" for name in names}
    for name, metric in COLOUR_METRICS.items():
        assert scores[f"AtoB/{name}"] == pytest.approx(metric(ours, images).mean().item(), rel=1e-4)
    assert set(scores) - set(alone) == {"AtoB/colour_distance"}, "one picture is no set"
    wanted = -scores["AtoB/colour_distance"] if head == "regression" else scores["AtoB/ab_psnr"]
    assert method.quality(scores) == wanted
    ratio = alone["AtoB/colourfulness_ratio"]
    assert method.quality(alone) == (-abs(math.log(ratio)) if head == "regression" else alone["AtoB/ab_psnr"])


def test_a_run_logs_what_held_out_pictures_say(pictures: Path, tmp_path: Path):
    run = train(pictures, tmp_path, validate_every=6)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    scored = [line for line in lines if "AtoB/ab_psnr" in line]
    assert [line["step"] for line in scored] == [6, 12]
    assert {"AtoB/delta_e", "AtoB/colourfulness_ratio", "AtoB/near_grey"} < set(scored[0])
    assert checkpoint.load_model(run / "best.safetensors").about.scores["AtoB/ab_psnr"] == max(
        line["AtoB/ab_psnr"] for line in scored
    )


# Learning


def drawn(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def learn(pictures: Tensor, steps: int, seed: int = 0, ema: float = 0.0, **values: Any) -> tuple[Colorize, Any]:
    """Train on `pictures`, eight at a time, without hints; returns the method and its finished generator."""
    torch.manual_seed(seed)
    given = {"width": 16, "width_d": 16, "layers": 2, "hints": False} | values
    method = Colorize(Colorize.settings.checked(given), (3, 3), pictures.shape[-1], "AtoB")
    trained = trainer(method, steps, seed=seed, ema=ema)
    draws = np.random.default_rng(seed)
    for _ in range(steps):
        trained.advance([of(pictures[draws.integers(len(pictures), size=8)])])
    return method, trained.finished()["AtoB"]


@torch.no_grad()
def scored(method: Colorize, generator: Any, held: Tensor) -> dict[str, float]:
    """Scores by their plain names; "gain" is how much better ab_psnr is than grey's, in dB."""
    scores = method.evaluate(iter([of(held)]), {"AtoB": generator})
    grey = method.preview(of(held), {"AtoB": generator})["grey"].clamp(-1, 1)
    plain = {name.removeprefix("AtoB/"): value for name, value in scores.items()}
    return plain | {"gain": plain["ab_psnr"] - ab_psnr(grey, held).mean().item()}


def test_light_does_not_tell_the_drawn_colours():
    """Clipped to sRGB it would; and what a picture has of either colour is the same."""
    for chroma in EITHER:
        for index in range(20):
            lab = draw_lab(np.random.default_rng([0, index]), {"disc": chroma})
            assert from_lab(lab[:, :1], lab[:, 1:]).abs().max() <= 1
    light, chroma = to_lab(drawn(ambiguous(64)))
    sides = chroma.mean(dim=(2, 3))[:, 0] > 0
    assert sides.sum() == 32
    assert light[sides].mean().item() == pytest.approx(light[~sides].mean().item(), abs=0.5)


# What is right but for its edges, which classes have at a quarter of the size, gains 9 dB.
@pytest.mark.parametrize(("values", "steps", "gain"), [({"gan": 0}, 300, 8), ({}, 200, 4)], ids=HEADS)
def test_colours_that_the_form_tells_are_learned(values: dict[str, Any], steps: int, gain: float):
    head = "regression" if values else "classification"
    scores = scored(*learn(drawn(determined(256, 100)), steps, head=head, **values), drawn(determined(32, 200)))
    assert scores["gain"] > gain
    assert scores["colourfulness_ratio"] > 0.7


def test_colours_that_nothing_tells_regress_to_grey_without_a_discriminator():
    scores = scored(*learn(drawn(ambiguous(256, 100)), 100, head="regression", gan=0), drawn(ambiguous(32, 200)))
    assert scores["colourfulness_ratio"] < 0.4


def test_a_discriminator_makes_one_of_two_colours():
    """Alone for a fifth of the run, then the critic alone for a fifth, then both; averaged, for they go in circles."""
    phases = {"pretrain": 0.2, "critic": 0.2, "ema": 0.9}
    method, generator = learn(drawn(ambiguous(256, 100)), 200, head="regression", **phases)
    assert scored(method, generator, drawn(ambiguous(32, 200)))["colourfulness_ratio"] > 0.7


class Drawing(torch.nn.Module):
    """Gives an answer drawn anew for each image, as the seed of a picture does."""

    def __init__(self, generator: Any) -> None:
        super().__init__()
        self.inner, self.multiple, self.minimum = generator, generator.multiple, generator.minimum

    def forward(self, images: Tensor) -> Tensor:
        logits = self.inner.weighed(self.inner.logits(images), 0.0)
        draws = [torch.Generator().manual_seed(index) for index in range(len(images))]
        drawn = [perturbed(each[None], self.inner.centres, own) for each, own in zip(logits, draws, strict=True)]
        return self.inner.chroma(torch.cat(drawn), vividness=1.0)


def test_a_classifier_keeps_the_colours_of_an_open_question():
    """Two opposite colours, half and half, are the worst there is for a mean: at temperature 1 they cancel."""
    method, generator = learn(drawn(ambiguous(256, 100)), 150, head="classification", ema=0.99)
    held = drawn(ambiguous(32, 200))
    ratios = []
    for temperature in (1.0, 0.38, generator.temperature):
        generator.temperature, usual = temperature, generator.temperature
        ratios.append(scored(method, generator, held)["colourfulness_ratio"])
        generator.temperature = usual
    assert 1.1 * ratios[0] < ratios[1] < ratios[2]
    assert ratios[2] > 0.7
    assert scored(method, Drawing(generator), held)["colourfulness_ratio"] > 0.7
