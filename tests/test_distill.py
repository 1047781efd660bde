"""Distilling: a student of few enough operations learns what its teacher does, and is measured beside it."""

import json
import os
import shlex
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TEACHER, TINY
from test_cli import run as command
from torch import Tensor, nn
from torch.nn import functional as F

import translate
from translate import checkpoint, networks
from translate.checkpoint import About, Model
from translate.cli.distill import RESERVED
from translate.config import TrainingSettings
from translate.data.batch import Batch
from translate.distill import compare, distill
from translate.engines import onnx_graph, openvino_graph
from translate.engines.extras import installed
from translate.errors import CheckpointError, ConfigError
from translate.evaluate import evaluate
from translate.fit import fit
from translate.loading import load
from translate.methods import Method, find_method
from translate.methods.distill import Distill, DistillSingle, DistillUnpaired
from translate.methods.distill_settings import DistillSettings
from translate.methods.students import make_student
from translate.networks.blocks import per_image_statistics
from translate.networks.init import initialise
from translate.networks.operations import count_operations, observed, stages
from translate.run import Run
from translate.training.trainer import Trainer

QUICK: dict[str, Any] = {key: value for key, value in TINY.items() if key != "size"} | {"blocks": 1, "steps": 2}


def built(name: str, **arguments: Any) -> nn.Module:
    torch.manual_seed(0)
    network = networks.build(name, {"in_channels": 3, "out_channels": 3} | arguments)
    initialise(network, "kaiming")
    return network.eval()


def model(network: nn.Module, **about: Any) -> Model:
    return Model(
        {"AtoB": network}, About(**({"mode": "pix2pix", "direction": "AtoB", "channels": (3, 3), "size": 16} | about))
    )


def settings(**values: Any) -> DistillSettings:
    given = {"teacher": TEACHER, "width": 4, "width_d": 2, "layers": 1, "blocks": 1}
    return DistillSettings.checked(given | values)


def method(teacher: Model | None = None, channels: tuple[int, int] = (3, 3), size: int = 16, **values: Any) -> Method:
    chosen = settings(**values)
    torch.manual_seed(0)
    teacher = teacher or model(built("resnet", width=4, blocks=3))
    return find_method("distill").suited(chosen)(chosen, channels, size, "AtoB", teacher=teacher)  # type: ignore[call-arg]


def batch(side: int = 16, count: int = 2) -> Batch:
    a, b = torch.rand(2, count, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return Batch(a, b, ("file",) * count)


def losses(method: Method, of: Batch) -> dict[str, Tensor]:
    return next(turn.losses for turn in method.step(of, 0) if turn.player == "G")


# Operations


def test_operations_are_those_counted_by_hand():
    w, side = 16, 64
    inner, middle = side // 4, side // 2
    ends = 2 * side**2 * 49 * 3 * w
    strided = middle**2 * 9 * w * 2 * w + inner**2 * 9 * 2 * w * 4 * w
    block = 2 * inner**2 * (9 * 4 * w + (4 * w) ** 2)
    network = built("separable_resnet", width=w, blocks=5)
    # A transposed convolution does as much as the strided one that it turns round.
    assert count_operations(network, side) == 2 * (ends + 2 * strided + 5 * block)


def test_a_block_is_a_convolution_of_low_rank():
    separable = built("separable_resnet", width=2, blocks=1).blocks[0].conv1
    whole = nn.Conv2d(8, 8, 3, bias=False)
    with torch.no_grad():
        whole.weight.copy_(
            torch.einsum("oi,ihw->oihw", separable.pointwise.weight[..., 0, 0], separable.spatial.conv.weight[:, 0])
        )
        images = torch.rand(2, 8, 9, 7)
        torch.testing.assert_close(separable(images), whole(F.pad(images, (1, 1, 1, 1), mode="reflect")))


@pytest.mark.parametrize(("size", "share", "width"), [("small", 10, 32), ("tiny", 30, 16)])
def test_the_student_is_as_wide_as_its_share_allows(size: Any, share: int, width: int):
    with torch.device("meta"):
        teacher = networks.build("resnet", {"in_channels": 3, "out_channels": 3})
        student = make_student(settings(student=size, width=None, blocks=9), teacher, 256)
        assert student.arguments["width"] == width
        wider = built("separable_resnet", width=width + 16)
    assert count_operations(teacher, 256) >= share * count_operations(student, 256)
    assert count_operations(teacher, 256) < share * count_operations(wider, 256)


def test_where_16_are_too_many_there_are_fewer():
    with torch.device("meta"):
        teacher = networks.build("unet", {"in_channels": 1, "out_channels": 2, "depth": 5, "width": 48})
        student = make_student(settings(width=None, blocks=9), teacher, 128)
    assert student.arguments["width"] in (1, 2, 4, 8) and student.arguments["out_channels"] == 2
    assert count_operations(teacher, 128) >= 10 * count_operations(student, 128)


def test_a_teacher_too_small_to_have_a_student_is_refused():
    with pytest.raises(ConfigError, match="so few operations that none is 30 times smaller"):
        make_student(settings(width=None, student="tiny"), built("resnet", width=2, blocks=0), 16)


def test_the_width_that_is_advised_makes_a_smaller_student():
    teacher = built("resnet", width=4, blocks=2)
    with pytest.raises(ConfigError) as caught:
        make_student(settings(width=None, student="tiny", blocks=3), teacher, 16)
    width = int(str(caught.value).split("--set width=")[1].split()[0])
    student = make_student(settings(width=width, student="tiny", blocks=3), teacher, 16)
    assert 2 * count_operations(student, 16) <= count_operations(teacher, 16)
    with pytest.raises(ConfigError, match="Not even a student of 9 blocks and width 1 has half of its operations"):
        make_student(settings(width=None, blocks=9), built("resnet", width=1, blocks=0), 16)


def test_of_a_width_that_is_set_the_share_is_told():
    taught = method(width=4)
    reached = 100 * count_operations(taught.student, 16) / count_operations(taught.teacher, 16)
    assert f"width=4 the student has {reached:.3g} % of the teacher's operations" in taught.notices[-1]


# Lessons


def test_lessons_are_those_of_the_paper():
    taught = method(model(built("resnet", width=4, blocks=9)), blocks=9)
    names = ["downs.1", "blocks.2", "blocks.5", "blocks.8"]
    assert [(here, there) for (here, _), (there, _) in taught.lessons] == list(zip(names, names, strict=True))


def test_lessons_of_a_unet_lie_where_its_images_are_as_small():
    teacher = built("unet", width=4, depth=4)
    found = {stage.name: stage for stage in stages(teacher, 16)}
    taught = method(model(teacher))
    assert [there for _, (there, _) in taught.lessons] == ["downs.1", "ups.1"]
    assert all(found[name].height == 4 and found[name].channels == count for _, (name, count) in taught.lessons)


def test_without_inner_values_of_one_size_outputs_are_compared():
    taught = method(model(built("resnet", width=4, blocks=1, downsamplings=0)))
    assert "no inner values of one size" in taught.notices[0]
    assert set(losses(taught, batch())) == {"gan", "output", "truth"}


def test_what_is_observed_is_what_the_stages_give():
    network = built("resnet", width=4, blocks=2)
    images = batch().a
    made, seen = observed(network, ["downs.1", "blocks.1"], images)
    inner = network.downs[1](network.downs[0](network.stem(images)))
    torch.testing.assert_close(seen, [inner, network.blocks[1](network.blocks[0](inner))])
    assert torch.equal(made, network(images))
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("domains", "kind"), [("paired", Distill), ("unpaired", DistillUnpaired), ("single", DistillSingle)]
)
def test_losses_are_those_that_the_data_allow(domains: str, kind: type[Method]):
    taught = method(domains=domains, truth=7.0, output=5.0, inner=3.0, gan=2.0)
    assert type(taught) is kind and taught.source == domains
    given = batch() if domains != "single" else Batch(batch().a, None, ("file",) * 2)
    found = losses(taught, given)
    student, teacher = taught.student, taught.teacher
    with torch.no_grad():
        made, seen = observed(student, ["downs.1", "blocks.0"], given.a)
        wanted, there = observed(teacher, ["downs.1", "blocks.2"], given.a)
        away = [
            F.mse_loss(adapt(one), other)
            for adapt, one, other in zip(taught.adapters, seen[:2], there[:2], strict=True)
        ]
        judged = taught.discriminator(torch.cat([given.a, made], dim=1) if domains == "paired" else made)
        expected = {
            "gan": 2 * ((judged - 1) ** 2).mean(),
            "output": 5 * (made - wanted).abs().mean(),
            "inner": 3 * (away[0] + away[1]) / 2,
        }
        if domains == "paired":
            assert given.b is not None
            expected["truth"] = 7 * (made - given.b).abs().mean()
    torch.testing.assert_close({name: value.detach() for name, value in found.items()}, expected)


def test_images_that_fit_neither_network_are_mirrored_for_both():
    taught = method(model(built("unet", width=4, depth=4)))
    given = batch(side=21)
    found = losses(taught, given)
    with torch.no_grad():
        wanted = taught.taught(given.a)
        made = taught.student(F.pad(given.a, (5, 6, 5, 6), mode="reflect"))[..., 5:26, 5:26]
    torch.testing.assert_close(found["output"].detach(), 50 * (made - wanted).abs().mean())


def test_a_student_learns_and_its_teacher_stays():
    teacher = built("unet", width=4, depth=3, dropout=0.0)
    taught = method(model(teacher, statistics="image"), width=8, gan=0.0, truth=0.0)
    before = {name: value.clone() for name, value in taught.teacher.state_dict().items()}
    given = batch()
    with torch.no_grad():
        torch.testing.assert_close(taught.taught(given.a), per_image_statistics(teacher)(given.a))
    trainer = Trainer(taught, TrainingSettings.checked({"steps": 60}), 60, 60, torch.device("cpu"))
    first = trainer.advance([given])
    for _ in range(59):
        last = trainer.advance([given])
    assert last["G/output"] < 0.5 * first["G/output"]
    assert last["G/inner"] < 0.5 * first["G/inner"]
    assert all(torch.equal(value, before[name]) for name, value in taught.teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in taught.teacher.parameters())
    assert not any("teacher" in name for name, value in taught.state_dict().items() if isinstance(value, Tensor))


# Refusals


@pytest.mark.parametrize(
    ("teacher", "channels", "said"),
    [
        ({"mode": "colorize"}, (3, 3), "cannot be distilled: it is of --mode colorize"),
        ({"mode": "dcgan", "direction": "noise"}, (3, 3), "--mode dcgan. Models of pix2pix, cycle, style and distill"),
        ({"direction": "BtoA"}, (3, 3), "it translates BtoA, not AtoB. Give --direction BtoA."),
        ({}, (1, 3), r"domains have \(3, 3\) channels, those of the data set \(1, 3\)"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(teacher: dict[str, Any], channels: tuple[int, int], said: str):
    given = model(built("resnet", width=4, blocks=1), **teacher)
    given = Model({given.about.direction: given.networks["AtoB"]}, given.about)
    with pytest.raises(ConfigError, match=said):
        method(given, channels=channels)


def test_fit_alone_needs_to_be_told_the_teacher(pairs: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="distill needs a teacher: `translate distill CHECKPOINT DATASET`"):
        fit(pairs, mode="distill", out=tmp_path, quiet=True, size=16, device="cpu")
    assert not list(tmp_path.glob("*distill*"))


def test_who_the_teacher_is_stands_in_one_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pairs: Path, tmp_path: Path
):
    assert {"teacher", "direction", "crop", "size", "mode"} <= RESERVED
    for setting in (f"teacher={TEACHER}", "direction=BtoA", "crop=16"):
        code, text = command(capsys, monkeypatch, "distill", TEACHER, pairs, "--out", tmp_path, "--set", setting)
        assert code == 2 and f"'{setting.partition('=')[0]}' is an argument or a flag" in text
    with pytest.raises(ConfigError, match="'teacher' is no setting of distill: checkpoint is the teacher"):
        distill(TEACHER, pairs, out=tmp_path, quiet=True, **QUICK, teacher=TEACHER)
    assert not list(tmp_path.glob("pairs-*"))


def test_what_cannot_be_a_teacher_is_said_before_all_else(pairs: Path, tmp_path: Path):
    path = tmp_path / "noise.safetensors"
    about = About(mode="dcgan", direction="noise", channels=(3, 3), size=16)
    checkpoint.save_model(path, {"noise": built("resnet", width=2, blocks=0)}, about)
    with pytest.raises(ConfigError, match="The teacher cannot be distilled: it is of --mode dcgan"):
        distill(path, pairs, out=tmp_path, quiet=True, **QUICK)
    for end in (".onnx", ".xml", ".pt2"):
        with pytest.raises(CheckpointError, match="a teacher is a run folder or a .safetensors file"):
            distill(tmp_path / f"model{end}", pairs, out=tmp_path, quiet=True, **QUICK)


# Runs


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """A copy of TEACHER that a test may spoil."""
    return Path(shutil.copy(TEACHER, tmp_path / "teacher.safetensors"))


def test_a_run_is_whole_without_its_teacher(pairs: Path, teacher: Path, tmp_path: Path):
    run = distill(teacher, pairs, out=tmp_path, quiet=True, **QUICK)
    assert run == tmp_path / "pairs-small"
    config = checkpoint.load_config(run / "config.json")
    assert (config["mode"], config["data"]["size"], config["method"]["domains"]) == ("distill", 16, "paired")
    found = json.loads((run / "distilled.json").read_text())
    assert (found["split"], found["count"], found["size"]) == ("val", 4, 16)
    assert (found["teacher_file"], found["steps"]) == (str(teacher), 2)
    assert (found["direction"], found["device"]) == ("AtoB", "cpu")
    sides = found["teacher"], found["student"]
    assert all(side["images_per_second"] > 0 for side in sides)
    network = checkpoint.load_model(run / "model.safetensors").networks["AtoB"]
    assert found["student"]["operations"] == count_operations(network, 16)
    assert found["student"]["parameters"] == checkpoint.count_parameters(network)
    assert found["student"]["bytes"] == (run / "model.safetensors").stat().st_size
    for side, path in zip(sides, (teacher, run), strict=True):
        assert side["scores"] == pytest.approx(evaluate(load(path, "cpu"), pairs, split="val").scores)
    teacher.unlink()
    student = load(run, "cpu")
    assert student.about.origin.startswith("distilled from a model of ")
    assert student(batch().a).shape == (2, 3, 16, 16)


def test_unpaired_folders_and_a_single_one_are_taken_as_such(
    folders: Path, pictures: Path, teacher: Path, tmp_path: Path
):
    header = checkpoint.read_header(teacher)
    networks_ = checkpoint.load_model(teacher).networks
    for mode, root, kind in (("cycle", folders, "unpaired"), ("style", pictures, "single")):
        about = About(mode=mode, direction="AtoB", channels=(3, 3), size=header["size"])
        checkpoint.save_model(teacher, networks_, about)
        run = distill(teacher, root, size="tiny", out=tmp_path, quiet=True, **QUICK)
        assert checkpoint.load_config(run / "config.json")["method"]["domains"] == kind
        compared = compare(teacher, run, root, device="cpu")
        assert compared.student.teacher["psnr"] > 0 and not compared.student.scores
        assert "psnr to the teacher" in "\n".join(compared.table())


def test_the_images_are_prepared_as_the_teachers_were(pairs: Path, tmp_path: Path):
    first = fit(
        pairs,
        mode="pix2pix",
        out=tmp_path,
        name="first",
        quiet=True,
        **(TINY | {"depth": 2, "steps": 1, "load_size": 20}),
    )
    run = distill(first, pairs, out=tmp_path, name="second", quiet=True, **QUICK)
    assert checkpoint.load_config(run / "config.json")["data"]["load_size"] == 20


def test_a_run_goes_on_with_its_own_teacher_only(pairs: Path, teacher: Path, tmp_path: Path):
    given = {"out": tmp_path, "name": "run", "quiet": True} | QUICK
    run = distill(teacher, pairs, **given)
    moved = teacher.rename(tmp_path / "moved.safetensors")
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        distill(teacher, pairs, **given, resume=True)
    distill(moved, pairs, **(given | {"steps": 4}), resume=True)
    assert checkpoint.read_header(run / "model.safetensors")["step"] == 4
    other = model(built("resnet", width=3, blocks=1))
    checkpoint.save_model(moved, other.networks, other.about)
    with pytest.raises(CheckpointError, match=r"learned from another teacher \(pix2pix, 0 steps\)"):
        distill(moved, pairs, **(given | {"steps": 6}), resume=True)


@pytest.mark.parametrize("length", [{"steps": 4}, {"steps": None, "epochs": 1, "batch_size": 2}])
def test_a_stopped_run_is_compared_when_it_is_at_its_end(
    length: dict[str, Any],
    pairs: Path,
    teacher: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    after = Run.after_step

    def interrupted(self: Run, *arguments: Any) -> Any:
        if self.trainer.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return after(self, *arguments)

    monkeypatch.setattr(Run, "after_step", interrupted)
    run = distill(teacher, pairs, size="tiny", out=tmp_path / "my runs", name="one", **(QUICK | length))
    assert checkpoint.read_header(run / "model.safetensors")["step"] == 1
    assert not (run / "distilled.json").exists()
    told = "".join(capsys.readouterr())
    program, *words = shlex.split(told.split("To go on: ")[1].splitlines()[0])
    assert program == "translate" and words[:3] == ["distill", str(teacher), str(pairs)]
    code, text = command(capsys, monkeypatch, *words)
    assert code == 0 and "psnr to the truth" in text
    found = json.loads((run / "distilled.json").read_text())
    assert (found["steps"], found["device"]) == (4, "cpu")


def test_a_run_whose_teacher_is_gone_or_became_small_says_so(pairs: Path, teacher: Path, tmp_path: Path):
    given = {"out": tmp_path, "quiet": True} | {key: value for key, value in QUICK.items() if key != "width"}
    large = model(built("resnet", width=16, blocks=1))
    checkpoint.save_model(teacher, large.networks, large.about)
    distill(teacher, pairs, **given)
    small = model(built("resnet", width=1, blocks=0))
    checkpoint.save_model(teacher, small.networks, small.about)
    with pytest.raises(CheckpointError, match="learned from another teacher .* give the former as CHECKPOINT again"):
        distill(teacher, pairs, **given, resume=True)
    teacher.unlink()
    with pytest.raises(CheckpointError, match="There is no checkpoint .* and needs it to go on: put it back"):
        distill(teacher, pairs, **given, resume=True)


def test_a_grey_teacher_sees_a_folder_as_it_sees_any_picture(pictures: Path, teacher: Path, tmp_path: Path):
    grey = model(built("resnet", in_channels=1, out_channels=3, width=4, blocks=1), channels=(1, 3))
    taught = method(grey, domains="single")
    images = batch().a
    luma = 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]
    torch.testing.assert_close(taught.sides(Batch(images, None, ("file",) * 2))[0], luma)
    checkpoint.save_model(teacher, grey.networks, grey.about)
    run = distill(teacher, pictures, out=tmp_path, quiet=True, **QUICK, domains="single")
    assert load(run, "cpu").channels("AtoB") == (1, 3)


@pytest.mark.parametrize(("direction", "count"), [("AtoB", 2), ("BtoA", 3)])
def test_each_image_is_compared_once(direction: Any, count: int, folders: Path, teacher: Path, tmp_path: Path):
    (folders / "testA" / "testA1.png").unlink()
    taught = model(built("resnet", width=4, blocks=1), direction=direction)
    checkpoint.save_model(teacher, {direction: taught.networks["AtoB"]}, taught.about)
    run = distill(teacher, folders, out=tmp_path, quiet=True, **QUICK, domains="unpaired")
    assert json.loads((run / "distilled.json").read_text())["count"] == count


def test_the_command_prints_both(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, pairs: Path, teacher: Path, tmp_path: Path
):
    words = [f"--set={key}={value}" for key, value in QUICK.items() if key not in ("steps", "device")]
    words = ["distill", teacher, pairs, "--size", "tiny", "--out", tmp_path, "--steps", 1, "--device", "cpu", *words]
    code, text = command(capsys, monkeypatch, *words)
    assert code == 0 and "GFLOP at 16 pixels" in text and "psnr to the truth" in text
    assert translate.load(tmp_path / "pairs-tiny", "cpu").about.mode == "distill"
    code, text = command(capsys, monkeypatch, *words, "--set", "size=8")
    assert code == 2 and "'size' is an argument or a flag" in text


# Engines


@pytest.mark.parametrize("way", ["openvino", "onnx"])
def test_convolutions_in_groups_need_no_general_converter(way: str, monkeypatch: pytest.MonkeyPatch):
    if not installed(way):
        pytest.skip(f"{way} is not installed")
    writer = {"openvino": openvino_graph, "onnx": onnx_graph}[way]
    monkeypatch.setattr(writer, "_converted", lambda *given: pytest.fail("it was converted"))
    network = built("separable_resnet", width=4, blocks=1)
    assert openvino_graph.to_openvino(network, 3) if way == "openvino" else onnx_graph.to_onnx(network, (3, 3))
