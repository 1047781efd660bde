"""Games in the plane: the points are what they are said to be, a ring is learned, and what is drawn shows the game."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from translate import cli, game2d, images
from translate.errors import ConfigError, TranslateError
from translate.game2d import MIXTURES, OWN, demo2d
from translate.game2d.picture import BAD, BAND, FAKE, GOOD, REAL, SIDE, VIEW, draw_scene
from translate.game2d.playing import Game, Scene
from translate.game2d.settings import choose
from translate.health import NOT_FINITE
from translate.objectives import OBJECTIVES

SMALL: dict[str, Any] = {"steps": 3, "width": 8, "width_d": 8, "batch_size": 8}


def scene(real: torch.Tensor, made: torch.Tensor, pull: torch.Tensor) -> Scene:
    return Scene(7, real, made, pull, lambda points: points[:, 0])


def pixel(x: float, y: float) -> tuple[int, int]:
    """Row and column of a place in the plane."""
    return BAND + round((1 - y / VIEW) / 2 * SIDE), round((1 + x / VIEW) / 2 * SIDE)


@pytest.mark.parametrize(("name", "count", "nearest"), [("ring", 8, 2 * 0.8 * np.sin(np.pi / 8)), ("grid", 25, 0.4)])
def test_mixtures_have_their_modes(name: str, count: int, nearest: float):
    mixture = MIXTURES[name]
    apart = torch.cdist(mixture.centres, mixture.centres) + 9 * torch.eye(count)
    assert len(mixture.centres) == count and apart.min().item() == pytest.approx(nearest, rel=1e-5)
    batch = mixture.draw(20000, 0, 5)
    assert batch.a.shape == (20000, 2, 1, 1) and batch.a.abs().max() <= 1
    assert batch.labels is not None
    away = batch.a.flatten(1) - mixture.centres[batch.labels]
    assert away.std().item() == pytest.approx(mixture.sigma, rel=0.02)
    assert batch.labels.bincount().min() > 0.85 * 20000 / count


def test_points_are_a_function_of_seed_and_step():
    draw = MIXTURES["ring"].draw
    assert torch.equal(draw(5, 1, 2).a, draw(5, 1, 2).a)
    assert not torch.equal(draw(5, 1, 2).a, draw(5, 1, 3).a) and not torch.equal(draw(5, 1, 2).a, draw(5, 2, 2).a)


def test_a_ring_is_learned_and_judged():
    played = demo2d("ring", objective="hinge", steps=300, width=64, width_d=64, seed=0)
    assert played.modes.covered >= 7 and played.of == 8 and played.modes.quality > 0.2
    assert played.steps == 300 and played.path is None and played.seconds > 0


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_plays_and_is_drawn(objective: str, tmp_path: Path):
    played = demo2d("grid", tmp_path / "a.png", objective=objective, frames=2, **SMALL)
    assert played.steps == 3 and 0 <= played.modes.quality <= 1
    assert np.asarray(Image.open(tmp_path / "a.png")).shape == (SIDE + BAND, 2 * SIDE, 3)


@pytest.mark.parametrize(
    "more", [{"conditioning": "projection"}, {"conditioning": "infogan"}, {"spectral_norm": True, "replay": 16}]
)
def test_conditions_and_tricks_play_too(more: dict[str, Any], tmp_path: Path):
    assert demo2d("ring", tmp_path / "a.png", frames=2, **SMALL | more).steps == 3


def test_settings_of_objectives_are_settings():
    assert set(OWN) <= set(OBJECTIVES)
    for objective in OBJECTIVES:
        chosen = choose({"objective": objective}, 3)
        for name, value in OWN.get(objective, {}).items():
            group = chosen.method if hasattr(chosen.method, name) else chosen.training
            assert getattr(group, name) == value
    assert choose({"objective": "wgan", "learning_rate": "0.5"}, 3).method.learning_rate == 0.5


def test_the_landscape_is_orange_where_d_finds_points_real():
    nothing = torch.empty(0, 2)
    image = draw_scene(scene(nothing, torch.full((2, 2), 9.0), torch.zeros(2, 2)), ("", ""), ("", ""))
    assert np.abs(image[pixel(1.14, 0)].astype(int) - REAL).max() < 6
    assert np.abs(image[pixel(-1.14, 0)].astype(int) - FAKE).max() < 6


def test_points_and_pulls_are_drawn_where_they_are():
    empty, made = torch.full((1, 2), 9.0), torch.tensor([[0.5, 0.25], [-0.5, -0.5]])
    still = draw_scene(scene(empty, torch.full((2, 2), 9.0), torch.zeros(2, 2)), ("", ""), ("", "")).astype(int)
    there = draw_scene(scene(empty, made, torch.zeros(2, 2)), ("", ""), ("", "")).astype(int)
    changed = np.abs(there - still).max(axis=2) > 40
    assert changed[pixel(0.5, 0.25)] and changed[pixel(-0.5, -0.5)] and changed[BAND:].sum() < 120
    pulled = draw_scene(scene(empty, made, torch.tensor([[0.0, 1.0], [0.0, 1.0]])), ("", ""), ("", "")).astype(int)
    moved = np.abs(pulled - still).max(axis=2) > 40
    assert moved[pixel(0.5, 0.25 + 0.07)] and not moved[pixel(0.5, 0.25 - 0.07)]


@pytest.mark.parametrize("objective", ["vanilla", "relativistic", "began"])
def test_samples_are_pulled_to_where_gs_loss_is_lower(objective: str):
    game = Game(MIXTURES["ring"], choose({"objective": objective, **SMALL}, 3))
    for _ in game.play():
        pass
    now = game.scene(32)
    before = now.judge(now.made).mean()
    after = now.judge(now.made + 1e-3 * now.pull / now.pull.norm(dim=1, keepdim=True).clamp(min=1e-9)).mean()
    assert after > before


def test_looking_changes_nothing(tmp_path: Path):
    looked = demo2d("ring", tmp_path / "a.webp", frames=4, spectral_norm=True, **SMALL)
    assert looked.modes == demo2d("ring", spectral_norm=True, **SMALL).modes


def test_the_same_seed_gives_the_same_file(tmp_path: Path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        demo2d("ring", tmp_path / f"{name}.webp", frames=3, seed=seed, **SMALL)
    first, again, other = ((tmp_path / f"{name}.webp").read_bytes() for name in "abc")
    assert first == again != other
    with Image.open(tmp_path / "a.webp") as film:
        assert film.size == (SIDE, SIDE + BAND) and film.n_frames >= 3


def test_a_game_that_diverges_ends_with_a_verdict(tmp_path: Path):
    bad = {"objective": "wgan", "gradient_penalty": 1e30, "steps": 50, "width": 8, "width_d": 8, "batch_size": 8}
    played = demo2d("ring", tmp_path / "a.png", frames=2, **bad)
    assert played.verdict == NOT_FINITE and played.steps < 50 and (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"objective": "wgam"}, "Did you mean 'wgan'?"),
        ({"objective": "nonsense"}, "Known: .*hinge.*wgan"),
        ({"widht": 3}, "Did you mean 'width'?"),
        ({"network": "dcgan"}, "Setting network has no meaning in the plane"),
        ({"tensorboard": True}, "keeps no run"),
        ({"batch_size": 1}, "Setting batch_size=1 will not do"),
        ({"data": "rung"}, "Unknown data 'rung'. Did you mean 'ring'?"),
        ({"frames": 1}, "from 2 to 500"),
        ({"out": "a.gif"}, "a.gif will not do: a film ends in .webp"),
    ],
)
def test_what_cannot_be_played_is_refused(asked: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said.replace("?", "[?]")):
        demo2d(**asked)


def words_of(health: tuple[str, bool | None], points: torch.Tensor) -> np.ndarray:
    """The line of words on health, of a scene of `points`."""
    return draw_scene(scene(points, points, torch.zeros_like(points)), ("", ""), ("", ""), health)[40:BAND]


def test_a_frame_names_the_verdict_in_green_or_red():
    inside = torch.zeros(2, 2)
    for name, good, colour in (("healthy", True, GOOD), ("collapse", False, BAD)):
        band = words_of((name, good), inside)
        assert (np.abs(band[:, : SIDE // 2].astype(int) - colour).max(axis=2) < 40).sum() > 20
        assert (band[:, SIDE // 2 :] == band[0, -1]).all()  # no sample is outside: nothing is said of it


def test_a_frame_says_how_many_samples_lie_outside(monkeypatch: pytest.MonkeyPatch):
    said = []
    monkeypatch.setattr("translate.game2d.picture._write", lambda canvas, text, *rest, **more: said.append(text))
    words_of(("healthy", True), torch.tensor([[VIEW + 0.1, 0], [0, -VIEW - 0.1], [9, 9], [VIEW - 0.1, 0]]))
    assert said[-1] == "3 of 4 shown outside"


def test_the_last_frame_says_what_the_game_came_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said: list[Any] = []
    plain = draw_scene
    monkeypatch.setattr(game2d, "draw_scene", lambda *given: said.append(given[1:]) or plain(*given))
    played = demo2d("grid", tmp_path / "a.png", frames=2, steps=5, width=8, width_d=8, batch_size=8)
    assert said[-1][1] == (f"{played.modes.covered} of 25 modes", f"{played.modes.quality:.0%} within 3 sigma")
    assert said[-1][2] == ("too early to tell", None) and played.health == "too early to tell"


def test_a_short_game_is_not_called_healthy():
    small = SMALL | {"health_every": 1, "probe_every": 0}
    assert demo2d("ring", **small | {"steps": 7}).health == "too early to tell"
    assert demo2d("ring", **small | {"steps": 60}).health != "too early to tell"
    assert demo2d("ring", **small | {"health_every": 0}).health == "health is not watched"


def test_a_place_that_cannot_be_written_is_found_before_the_game(tmp_path: Path):
    (tmp_path / "folder.webp").mkdir()
    (tmp_path / "file").write_text("")
    for place, said in (
        (tmp_path / "folder.webp", "is a folder: give --out a file in it"),
        (tmp_path / "file" / "a.webp", "Cannot write"),
        (Path("/dev/full"), "a film ends in .webp"),
        (Path("/proc/a.webp"), "Cannot write /proc/a.webp"),
    ):
        with pytest.raises(TranslateError, match=said):
            demo2d("ring", place, progress=lambda *_: pytest.fail("it was played"))


def call(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["translate", "demo2d", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_the_command_line_plays(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    out = tmp_path / "new" / "a.webp"
    small = [f"--set={name}={value}" for name, value in SMALL.items() if name != "steps"]
    assert (
        call(monkeypatch, "--data", "ring", "--objective", "hinge", "--steps", 3, "--frames", 2, "--out", out, *small)
        == 0
    )
    text = capsys.readouterr().out
    assert "of 8 modes" in text and "after 3 steps" in text and "health: too early to tell" in text and str(out) in text
    assert out.exists()
    assert call(monkeypatch, "--objective", "wgam", "--out", out) == 2
    assert "Unknown objective 'wgam'. Did you mean 'wgan'?" in capsys.readouterr().err
    assert call(monkeypatch, "--set", "frames=3") == 2
    assert "'frames' is no setting" in capsys.readouterr().err


def test_ctrl_c_ends_the_game_and_what_was_played_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    plain = Game.play

    def interrupted(self: Game) -> Iterator[int]:
        for step in plain(self):
            if step == 3:
                signal.raise_signal(signal.SIGINT)
            yield step

    monkeypatch.setattr(Game, "play", interrupted)
    out = tmp_path / "a.png"
    small = [f"--set={name}={value}" for name, value in SMALL.items() if name != "steps"]
    assert call(monkeypatch, "--data", "ring", "--steps", 900, "--frames", 2, "--out", out, *small) == 130
    told = capsys.readouterr()
    assert "after 3 steps" in told.out and "Stopped after 3 of 900 steps" in told.err
    assert images.read(out).pixels.shape == (SIDE + BAND, 2 * SIDE, 3)  # the first step and the last


def test_ctrl_c_before_the_game_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(game2d, "demo2d", interrupted)
    assert call(monkeypatch) == 130
    assert "Stopped; demo2d.webp is as it was." in capsys.readouterr().err
