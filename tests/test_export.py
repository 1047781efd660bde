"""Exported models compute the same, say what they are, and are not written if they differ."""

import zipfile
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
    assert len(told) == 4 and "differs by" in told[0]
    assert sorted(path.name for path in out.parent.iterdir()) == FILES[suffix]
    engine, about, direction = open_exported(out, device=CPU, precision="fp32", streams=2)
    assert (engine.backend, engine.precision, direction) == (FORMATS[suffix], "fp32", "AtoB")
    assert about == checkpoint.load_model(model).about or about.channels == (3, 3)
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


def test_networks_of_other_channels_are_exported(tmp_path: Path):
    skip_without("onnx")
    for name, arguments in (("unet", UNET), ("resnet", RESNET)):
        network = networks.build(name, {"in_channels": 1, "out_channels": 2, "width": 2} | arguments)
        model, out = tmp_path / f"{name}.safetensors", tmp_path / f"{name}.onnx"
        checkpoint.save_model(model, {"BtoA": network}, About("cycle", "BtoA", (2, 1), 16))
        export(model, out)
        engine, _, direction = open_exported(out, device=CPU)
        assert direction == "BtoA" and engine(torch.zeros(1, 1, 5, 5)).shape == (1, 2, 5, 5)
