"""Exported models compute the same, say what they are, and are not written if they differ."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_engines import ARCHITECTURES, CPU, RESNET, TINY, UNET, build, pictures, skip_without

import translate.export
from translate import checkpoint, networks
from translate.checkpoint import About
from translate.engines import open_exported
from translate.errors import CheckpointError, ConfigError, TranslateError
from translate.export import export
from translate.loading import load

FORMATS = {".onnx": "onnx", ".xml": "openvino", ".pt2": "torch"}
FILES = {".onnx": ["out.onnx"], ".xml": ["out.bin", "out.xml"], ".pt2": ["out.pt2"]}


def save(path: Path, architecture: str = "unet, batch norm, running") -> Path:
    name, arguments = ARCHITECTURES[architecture]
    network = networks.build(name, TINY | arguments)
    network.load_state_dict(build(architecture.replace("per image", "running")).state_dict())
    statistics = "image" if "per image" in architecture else "running"
    about = About("pix2pix", "AtoB", (3, 3), 32, statistics=statistics, scores={"psnr": 21.5})  # type: ignore[arg-type]
    checkpoint.save_model(path / "model.safetensors", {"AtoB": network}, about)
    return path / "model.safetensors"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_export_computes_the_same_and_needs_no_flags(architecture: str, suffix: str, tmp_path: Path):
    skip_without(FORMATS[suffix])
    model = save(tmp_path, architecture)
    told: list[str] = []
    out = tmp_path / "exports" / f"out{suffix}"
    assert export(model, out, tell=told.append) < 1e-4
    assert len(told) == 6 and "differs by" in told[0]
    multiple = networks.build(ARCHITECTURES[architecture][0], TINY | ARCHITECTURES[architecture][1]).multiple
    wide, tall = map(int, told[-1].split(":")[0].removeprefix("2 x ").split("x"))
    assert tall > wide > 2 * multiple + multiple
    assert sorted(path.name for path in out.parent.iterdir()) == FILES[suffix]
    engine, about, direction = open_exported(out, device=CPU, precision="fp32", streams=2)
    assert (engine.backend, engine.precision, direction) == (FORMATS[suffix], "fp32", "AtoB")
    assert about == replace(checkpoint.load_model(model).about, channels=(3, 3))
    assert about.scores == {"psnr": 21.5} and engine.streams == 2
    pixels = pictures(37, 50)
    original = torch.from_numpy(load(model, "cpu")(pixels[0].permute(1, 2, 0).numpy())).permute(2, 0, 1)
    assert (engine(pixels)[0].int() - original.int()).abs().max() <= 1


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_that_differs_is_refused_and_leaves_no_file(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    skip_without(FORMATS[suffix])
    model = save(tmp_path)
    right = translate.export.rewrite

    def wrong(network):
        changed = right(network)
        changed.head.conv.bias = torch.nn.Parameter(changed.head.conv.bias + 0.01, requires_grad=False)
        return changed

    monkeypatch.setattr(translate.export, "rewrite", wrong)
    out = tmp_path / "exports" / f"out{suffix}"
    with pytest.raises(TranslateError, match="differs from the original by 0.0"):
        export(model, out)
    assert list(out.parent.iterdir()) == []


def test_what_cannot_be_exported_is_refused(tmp_path: Path):
    model = save(tmp_path)
    with pytest.raises(ConfigError, match="ends in .onnx, .xml, .pt2"):
        export(model, tmp_path / "out.trt")
    with pytest.raises(ConfigError, match="ends in .onnx"):
        export(model, tmp_path / "out.xml", format="onnx")
    with pytest.raises(ConfigError, match="AtoB, not BtoA"):
        export(model, tmp_path / "out.pt2", direction="BtoA")
    (tmp_path / "out.pt2").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="exists already"):
        export(model, tmp_path / "out.pt2")
    assert (tmp_path / "out.pt2").read_bytes() == b"mine"


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_no_export_is_refused(suffix: str, tmp_path: Path):
    skip_without(FORMATS[suffix])
    path = tmp_path / f"out{suffix}"
    with pytest.raises(CheckpointError, match="no file"):
        open_exported(path, device=CPU)
    path.write_bytes(b"rubbish")
    with pytest.raises(CheckpointError, match="damaged"):
        open_exported(path, device=CPU)
    with pytest.raises(CheckpointError, match="no exported model"):
        open_exported(tmp_path / "out.safetensors", device=CPU)


def test_a_pt2_that_could_run_code_is_refused(tmp_path: Path):
    model = save(tmp_path)
    out = tmp_path / "out.pt2"
    export(model, out)
    with pytest.raises(ConfigError, match="fp32, not bf16"):
        open_exported(out, device=CPU, precision="bf16")
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("out/data/aotinductor/model/model.so", b"code")
    with pytest.raises(CheckpointError, match="refused"):
        open_exported(out, device=CPU)


def changed(path: Path, old: str, new: str) -> Path:
    """A copy of the .pt2 `path` in whose graph `old` stands as `new`, once."""
    other = path.with_name("changed.pt2")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as out:
        for name in archive.namelist():
            content = archive.read(name).decode() if name.endswith("model.json") else archive.read(name)
            if isinstance(content, str):
                assert old in content
                content = content.replace(old, new, 1)
            out.writestr(name, content)
    return other


EXPRESSION, CODE = '"expr_str": "', "__import__('pathlib').Path('PWNED').touch()"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (EXPRESSION, f"{EXPRESSION}{CODE} or "),
        (EXPRESSION, f"{EXPRESSION}Max({CODE}, 1) + "),
        (EXPRESSION, f"{EXPRESSION}Integer(1).func + "),
        (EXPRESSION, f"{EXPRESSION}Symbol('s1', positive=exit()) + "),
        (EXPRESSION, f"{EXPRESSION}Integer('1') + "),
        ("torch.ops.aten.tanh.default", "torch.os.system"),
        ("torch.ops.aten.tanh.default", "torch.ops.aten.from_file.default"),
        ("torch.ops.aten.tanh.default", "#exit"),
        ('"name": "images"', '"name": "images=exit()"'),
        ('"forward_arg_names": ["images"]', '"forward_arg_names": ["images=exit()"]'),
        ('"stack_trace": ', '"from_node": '),
        (r"\"builtins.tuple\"", r"\"collections.namedtuple\""),
    ],
)
def test_a_pt2_whose_text_could_run_is_refused(old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    export(save(tmp_path), tmp_path / "out.pt2")
    assert open_exported(changed(tmp_path / "out.pt2", "conv2d", "conv2d"), device=CPU)
    with pytest.raises(CheckpointError, match="refused: code could lie"):
        open_exported(changed(tmp_path / "out.pt2", old, new), device=CPU)
    assert not (tmp_path / "PWNED").exists()


def test_a_pt2_with_two_files_of_one_name_is_refused(tmp_path: Path):
    export(save(tmp_path), tmp_path / "out.pt2")
    with zipfile.ZipFile(tmp_path / "out.pt2", "a") as archive:
        name = next(name for name in archive.namelist() if name.endswith("model.json"))
        archive.writestr(name.upper().replace("MODELS", "models").replace("JSON", "json"), archive.read(name))
    with pytest.raises(CheckpointError, match="two files of one name"):
        open_exported(tmp_path / "out.pt2", device=CPU)


def test_networks_of_other_channels_are_exported(tmp_path: Path):
    skip_without("onnx")
    for name, arguments in (("unet", UNET), ("resnet", RESNET)):
        network = networks.build(name, {"in_channels": 1, "out_channels": 2, "width": 2} | arguments)
        model, out = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.onnx"
        checkpoint.save_model(model, {"BtoA": network}, About("cycle", "BtoA", (2, 1), 16))
        export(model, out)
        engine, _, direction = open_exported(out, device=CPU)
        assert direction == "BtoA" and engine(torch.zeros(1, 1, 5, 5)).shape == (1, 2, 5, 5)
