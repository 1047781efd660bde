"""Every engine gives what the network gives, for any size, in any thread; int8 only if it is close enough."""

import builtins
import gc
import importlib.util
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from translate import engines, networks
from translate.engines import choose_precision, extras, int8, make_engine, quantise
from translate.engines.rewrite import Squares, rewrite
from translate.errors import ConfigError, NotFiniteError, TranslateError
from translate.networks.blocks import per_image_statistics, translate_any_size
from translate.networks.init import initialise

CPU = torch.device("cpu")
TINY = {"in_channels": 3, "out_channels": 3, "width": 4}
UNET, RESNET = {"depth": 3}, {"blocks": 1}
ARCHITECTURES = {
    "unet, batch norm, running": ("unet", UNET),
    "unet, batch norm, per image": ("unet", UNET),
    "unet, instance norm, resize": ("unet", UNET | {"norm": "instance", "upsampling": "resize"}),
    "resnet, instance norm, reflect": ("resnet", RESNET),
    "resnet, batch norm, zeros, resize": (
        "resnet",
        RESNET | {"norm": "batch", "padding": "zeros", "upsampling": "resize"},
    ),
    "separable_resnet, instance norm": ("separable_resnet", RESNET),
}
WAYS = [("torch", "fp32"), ("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16"), ("onnx", "fp32")]
NEEDS = {"torch": (), "openvino": ("openvino",), "onnx": ("onnx", "onnxruntime"), "int8": ("openvino", "nncf")}


def build(architecture: str) -> nn.Module:
    name, arguments = ARCHITECTURES[architecture]
    torch.manual_seed(0)
    network = networks.build(name, TINY | arguments).eval()
    initialise(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr, operator]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr, operator]
    return per_image_statistics(network) if "per image" in architecture else network


def skip_without(way: str) -> None:
    for package in NEEDS[way]:
        if importlib.util.find_spec(package) is None:  # importing nncf would change this process
            pytest.skip(f"{package} is not installed")


def pictures(height: int, width: int, count: int = 1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


def to_float(pixels: Tensor) -> Tensor:
    return pixels.float() / 127.5 - 1


@torch.no_grad()
def expected(network: nn.Module, pixels: Tensor) -> Tensor:
    return ((translate_any_size(network, to_float(pixels)).clamp(-1, 1) + 1) * 127.5).round()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_rewritten_head_computes_the_same(architecture: str):
    network = build(architecture)
    changed = rewrite(network)
    assert isinstance(changed.head, Squares) and not isinstance(network.head, Squares)
    images = to_float(pictures(24, 40, count=2))
    with torch.no_grad():
        assert (changed(images) - network(images)).abs().max() < 1e-4


@pytest.mark.parametrize(
    ("name", "arguments", "rewritten"),
    [
        ("resnet", {"padding": "replicate", "blocks": 1}, True),
        ("resnet", {"padding": "zeros", "blocks": 0, "out_channels": 1, "downsamplings": 1}, True),
        ("resnet", {"blocks": 1, "downsamplings": 0}, False),
        ("resnet", {"blocks": 1, "out_channels": 16}, False),
        ("unet", {"depth": 2, "out_channels": 4, "norm": "none"}, True),
        ("unet", {"depth": 2, "out_channels": 8}, False),
        ("unet", {"depth": 2, "out_channels": 2, "upsampling": "resize", "in_channels": 1}, True),
    ],
)
def test_odd_networks_are_rewritten_exactly_or_left_alone(name: str, arguments: dict, rewritten: bool):
    network = networks.build(name, TINY | arguments).eval()
    changed = rewrite(network)
    assert isinstance(changed.head, Squares) == rewritten
    images = torch.rand(1, changed.arguments["in_channels"], 16, 24) * 2 - 1  # type: ignore[index]
    with torch.no_grad():
        assert (changed(images) - network(images)).abs().max() < 1e-4


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_engine_gives_what_the_network_gives(architecture: str, way: tuple[str, str]):
    backend, precision = way
    skip_without(backend)
    network = build(architecture)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    engine = make_engine(network, device=CPU, backend=backend, precision=precision)
    assert (engine.backend, engine.precision, engine.streams) == (backend, precision, 1)
    assert engine.about.startswith(f"{backend} {precision}, ")
    for height, width in ((1, 1), (37, 50)):
        pixels = pictures(height, width, count=2)
        output = engine(pixels)
        assert output.dtype == torch.uint8 and output.shape == pixels.shape
        as_float = engine(to_float(pixels))
        assert as_float.dtype == torch.float32 and as_float.shape == pixels.shape and not as_float.requires_grad
        # One pixel, mirrored, is a plane, of which instance norm leaves nothing but amplified rounding errors.
        if (height, width) == (1, 1) and "resnet, instance" in architecture:
            continue
        assert (output - expected(network, pixels)).abs().max() <= (1 if precision == "fp32" else 2)
        assert (((as_float.clamp(-1, 1) + 1) * 127.5).round() - output).abs().max() <= 1
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("streams", [None, 2])
@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_eight_threads_on_one_engine_get_the_serial_results(way: tuple[str, str], streams: int | None):
    backend, precision = way
    skip_without(backend)
    engine = make_engine(
        build("resnet, instance norm, reflect"), device=CPU, backend=backend, precision=precision, streams=streams
    )
    inputs = [pictures(16 + 4 * (seed % 3), 24, seed=seed) for seed in range(24)]
    serial = [engine(pixels) for pixels in inputs]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(torch.equal, serial, pool.map(engine, inputs)))


def test_streams_leave_the_callers_threads_alone():
    torch.set_num_threads(3)
    try:
        engine = make_engine(build("unet, batch norm, running"), device=CPU, streams=2)
        assert engine.streams == 2 and engine.threads == 1
        engine(pictures(8, 8))
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_values_that_are_not_finite_are_an_error(way: tuple[str, str]):
    backend, precision = way
    skip_without(backend)
    network = build("unet, batch norm, running")
    engine = make_engine(network, device=CPU, backend=backend, precision=precision, streams=2)
    with pytest.raises(NotFiniteError, match="the image holds"):
        engine(torch.full((1, 3, 8, 8), float("nan")))
    network.head.bias.data.fill_(float("inf"))  # type: ignore[union-attr]
    network.ups[0].conv.weight.data.fill_(float("nan"))  # type: ignore[union-attr, index]
    with pytest.raises(NotFiniteError, match="not finite"):
        make_engine(network, device=CPU, backend=backend, precision=precision)(pictures(8, 8))


def test_tf32_is_said_where_it_is_used(monkeypatch: pytest.MonkeyPatch):
    engine = engines.make_engine(build("unet, batch norm, running"), device=CPU, backend="torch")
    monkeypatch.setattr(engine, "device", torch.device("cuda"))
    for allowed, said in ((True, "torch fp32 (TF32) on cuda"), (False, "torch fp32 on cuda")):
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
        assert engine.phrase() == said
    monkeypatch.setattr(engine, "precision", "bf16")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert engine.phrase() == "torch bf16 on cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("at", ["cpu", "cuda"])
def test_threads_on_each_gpu_get_what_the_network_gives(at: str):
    network = build("unet, instance norm, resize")
    inputs = [pictures(16 + 4 * (seed % 3), 24, seed=seed) for seed in range(12)]
    wanted = [expected(network, pixels) for pixels in inputs]
    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        engine = make_engine(network, device=device)
        place = device if at == "cuda" else CPU
        with ThreadPoolExecutor(4) as pool:
            outputs = list(pool.map(engine, [pixels.to(place) for pixels in inputs]))
        assert all((one.cpu() - other).abs().max() <= 1 for one, other in zip(outputs, wanted, strict=True))
        with pytest.raises(NotFiniteError, match="the image holds"):
            engine(torch.full((1, 3, 8, 8), float("nan"), device=place))


@pytest.mark.slow
def test_compiled_code_belongs_to_its_own_weights_and_size():
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a compiler")
    pixels = {side: pictures(side, side) for side in (16, 12)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own deprecated parts
        for seed in range(2):
            torch.manual_seed(seed)
            network = networks.build("unet", {"in_channels": 3, "out_channels": 3, "width": 2, "depth": 2}).eval()
            engine = make_engine(network, device=CPU, compile=True, size=15, streams=2)
            assert engine.about.endswith("compiled for 15 pixels")
            for image in pixels.values():
                assert (engine(image) - expected(network, image)).abs().max() <= 1
                with ThreadPoolExecutor(4) as pool:
                    assert all(torch.equal(engine(image), other) for other in pool.map(engine, 8 * [image]))


def test_what_is_no_batch_of_images_is_refused():
    engine = make_engine(build("unet, batch norm, running"), device=CPU)
    for images in (torch.zeros(3, 8, 8), torch.zeros(1, 3, 0, 8), torch.zeros(1, 3, 8, 8, dtype=torch.float64)):
        with pytest.raises(ConfigError, match="uint8"):
            engine(images)
    with pytest.raises(ConfigError, match="3 channels, not 1"):
        engine(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_our_generators_are_written_down_without_a_general_converter(
    architecture: str, monkeypatch: pytest.MonkeyPatch
):
    skip_without("openvino")
    skip_without("onnx")
    from translate.engines import onnx_graph, openvino_graph

    for module in (onnx_graph, openvino_graph):
        monkeypatch.delattr(module, "_converted")
    network = rewrite(build(architecture))
    openvino_graph.to_openvino(network, 3)
    onnx_graph.to_onnx(network, (3, 3))


class Strange(nn.Module):
    """A generator with a layer that walk.py does not know."""

    arguments, multiple, minimum, per_image = {"in_channels": 3, "out_channels": 3}, 1, 1, True

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.sin(self.head(images))


@pytest.mark.parametrize("backend", ["openvino", "onnx"])
def test_an_unknown_layer_goes_through_the_general_converter(backend: str):
    skip_without(backend)
    if backend == "onnx":
        pytest.importorskip("onnxscript")
    network = Strange().eval()
    output = make_engine(network, device=CPU, backend=backend)(pictures(5, 7, count=2))
    assert (output - expected(network, pictures(5, 7, count=2))).abs().max() <= 1


@pytest.mark.parametrize(("factor", "chosen"), [(1.0, "fp32"), (1.2, "fp32"), (1.3, "bf16"), (0.05, "fp32")])
def test_precision_is_measured(factor: float, chosen: str, monkeypatch: pytest.MonkeyPatch):
    """bf16 is taken where it is found to be faster by more than chance."""
    from translate.engines import precision

    def seconds(images: Tensor, weight: Tensor) -> float:
        return 0.01 / factor if images.dtype == torch.bfloat16 else 0.01

    monkeypatch.setattr(precision, "_has_bf16", lambda device: True)
    monkeypatch.setattr(precision, "_seconds", seconds)
    assert choose_precision.__wrapped__(CPU) == chosen
    monkeypatch.setattr(precision, "_has_bf16", lambda device: False)
    assert choose_precision.__wrapped__(CPU) == "fp32"


@pytest.mark.parametrize("measured", ["fp32", "bf16"])
def test_auto_takes_what_was_measured_and_is_there(measured: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engines, "choose_precision", lambda device: measured)
    network = build("unet, batch norm, running")
    assert make_engine(network, device=CPU, precision="auto").precision == measured
    there = importlib.util.find_spec("openvino") is not None
    assert make_engine(network, device=CPU, backend="auto").backend == ("openvino" if there else "torch")


SIZES = """
import os, sys, torch
from translate import networks
from translate.engines import make_engine
network = networks.build("resnet", {"in_channels": 3, "out_channels": 3, "width": 8, "blocks": 6}).eval()
engine = make_engine(network, device=torch.device("cpu"), backend="openvino", precision="fp32")
for number in range(240):
    engine(torch.zeros(1, 3, 48 + 4 * (number % 15), 48 + 4 * (number // 15)))
    if number in (119, 239):
        with open("/proc/self/statm") as file:
            print(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads from /proc how much memory is taken")
def test_openvino_does_not_grow_with_every_size():
    skip_without("openvino")
    # A process of its own: in this one, memory that others have left would be taken first.
    done = subprocess.run([sys.executable, "-c", SIZES], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after - before < 40


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"backend": "tensorflow"}, "Unknown backend"),
        ({"backend": "openvinno"}, "openvino"),
        ({"precision": "fp16"}, "Unknown precision"),
        ({"precision": "int8"}, "int8 needs backend openvino"),
        ({"precision": "bf16", "backend": "onnx"}, "fp32 only"),
        ({"compile": True, "backend": "onnx"}, "Only backend torch"),
        ({"device": torch.device("cuda"), "backend": "openvino"}, "not on cuda"),
        ({"streams": 0}, "streams is 0"),
    ],
)
def test_what_cannot_be_is_refused(asked: dict, said: str):
    with pytest.raises(ConfigError, match=said):
        make_engine(build("unet, batch norm, running"), **{"device": CPU} | asked)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setattr(
        builtins, "__import__", _without(builtins.__import__, "openvino", "onnx", "onnxruntime", "nncf")
    )
    network = build("unet, batch norm, running")
    assert make_engine(network, device=CPU, backend="auto").backend == "torch"
    for backend in ("openvino", "onnx"):
        with pytest.raises(ConfigError, match=rf"pip install 'translate\[{backend}\]'"):
            make_engine(network, device=CPU, backend=backend)
    with pytest.raises(ConfigError, match=r"pip install 'translate\[int8\]'"):
        quantise(network, [torch.zeros(1, 3, 8, 8)], [torch.zeros(1, 3, 8, 8)])


def _without(importing, *missing: str):
    def importer(name: str, *args, **kwargs):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(name)
        return importing(name, *args, **kwargs)

    return importer


def test_int8_is_used_only_if_it_is_close(tmp_path: Path):
    skip_without("int8")
    network = build("unet, instance norm, resize")
    calibration = [to_float(pictures(32, 24, seed=seed)) for seed in range(3)]
    held_out = [to_float(pictures(19, 32, seed=seed)) for seed in (7, 8)]
    cache = tmp_path / "int8"
    none, psnr = quantise(network, calibration, held_out, least=200, cache=cache)
    assert none is None and 20 < psnr < 100
    kept = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert {name.rpartition(".")[2] for name in kept} == {"xml", "bin", "json"}
    engine, again = quantise(network, calibration[:1], held_out, least=20, cache=cache, streams=2)
    assert engine is not None and again == psnr and (engine.precision, engine.streams) == ("int8", 2)
    assert {path.name: path.stat().st_mtime_ns for path in cache.iterdir()} == kept
    pixels = pictures(37, 50)
    assert (engine(pixels) - expected(network, pixels)).abs().float().mean() < 10
    restarted, _ = quantise(network, calibration, held_out, least=20, cache=cache)
    assert restarted is not None and torch.equal(restarted(pixels), engine(pixels))


def test_an_int8_model_from_the_cache_is_measured_on_the_images_at_hand(tmp_path: Path):
    skip_without("int8")
    network = build("unet, instance norm, resize")
    own, other = to_float(pictures(32, 32)), to_float(pictures(32, 32, seed=1)) * 0.05 - 0.9
    _, psnr = quantise(network, [own], [own], least=0, cache=tmp_path)
    _, elsewhere = quantise(network, [own], [other], least=0, cache=tmp_path)
    assert elsewhere != psnr and len(list(tmp_path.iterdir())) == 3
    for least, used in ((elsewhere - 0.1, True), (elsewhere + 0.1, False)):
        assert (quantise(network, [own], [other], least=least, cache=tmp_path)[0] is not None) == used


def test_an_int8_model_from_the_cache_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever precision this machine is measured to be faster in, the second time."""
    skip_without("int8")
    from translate.engines import int8, openvino_

    hints = []
    made = openvino_.OpenVINOEngine.__init__

    def spy(self, *args, **kwargs) -> None:
        hints.append(kwargs.get("hint"))
        made(self, *args, **kwargs)

    monkeypatch.setattr(openvino_.OpenVINOEngine, "__init__", spy)
    network, images = build("unet, batch norm, running"), [to_float(pictures(16, 16))]
    for measured in ("fp32", "bf16"):
        monkeypatch.setattr(int8, "choose_precision", lambda device, measured=measured: measured)
        quantise(network, images, images, least=0, cache=tmp_path)
    assert [hint for hint in hints if hint] == ["fp32", "fp32"]


def test_int8_models_of_other_networks_and_packages_are_kept_apart(monkeypatch: pytest.MonkeyPatch):
    skip_without("int8")
    from translate.engines import int8

    one, other = (networks.build("resnet", TINY | RESNET | {"padding": padding}) for padding in ("zeros", "reflect"))
    other.load_state_dict(one.state_dict())
    digests = [int8._digest(one), int8._digest(other)]
    assert digests[0] != digests[1] and int8._digest(one) == digests[0]
    monkeypatch.setattr(int8.metadata, "version", lambda package: "0.1")
    assert int8._digest(one) not in digests


def test_a_damaged_int8_model_is_made_anew(tmp_path: Path):
    skip_without("int8")
    network = build("resnet, batch norm, zeros, resize")
    images = [to_float(pictures(16, 16, seed=seed)) for seed in range(2)]
    first, psnr = quantise(network, images, images, least=0, cache=tmp_path)
    next(tmp_path.glob("*.bin")).write_bytes(b"short")
    second, again = quantise(network, images, images, least=0, cache=tmp_path)
    assert first and second and psnr == again
    assert torch.equal(first(pictures(16, 16)), second(pictures(16, 16)))
    with pytest.raises(ConfigError, match="images to calibrate"):
        quantise(network, [], images)


def test_the_public_names_are_there():
    assert all(hasattr(engines, name) for name in engines.__all__)


def test_too_few_threads_are_an_error_and_none_stays(monkeypatch: pytest.MonkeyPatch):
    before, start, begun = torch.get_num_threads(), threading.Thread.start, []

    def limited(thread: threading.Thread) -> None:
        if len(begun) == 2:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with pytest.raises(TranslateError, match="gives no 3 threads .*can't start new thread"):
        make_engine(build("unet, batch norm, running"), device=CPU, streams=3)
    assert len(begun) == 2 and not any(thread.is_alive() for thread in begun)
    assert torch.get_num_threads() == before


def test_an_engine_that_is_dropped_leaves_no_threads():
    def threads() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("translate-engine")]

    gc.collect()
    before = threads()
    network = build("unet, batch norm, running")
    kept = [make_engine(network, device=CPU, streams=2).__dict__["_workers"]._pool for _ in range(3)]
    gc.collect()
    for thread in set(threads()) - set(before):
        thread.join(10)
    assert kept and set(threads()) <= set(before)


def test_int8_that_fails_says_so(monkeypatch: pytest.MonkeyPatch):
    skip_without("int8")
    images = [to_float(pictures(16, 16))]
    for program, said in (("import sys; sys.exit('RuntimeError: Check failed')", "RuntimeError"), ("1 / 0", "ZeroDiv")):
        monkeypatch.setattr(int8, "PROGRAM", [sys.executable, "-c", program])
        with pytest.raises(TranslateError, match=rf"int8 failed \({said}.*--precision auto"):
            quantise(build("unet, batch norm, running"), images, images)


def test_int8_leaves_this_process_as_it_was():
    skip_without("int8")
    before = signal.getsignal(signal.SIGTERM), torch.nn.functional.conv2d
    images = [to_float(pictures(16, 16))]
    quantise(build("unet, batch norm, running"), images, images, least=0)
    assert "nncf" not in sys.modules and before == (signal.getsignal(signal.SIGTERM), torch.nn.functional.conv2d)


def test_signals_are_survived_after_int8_models_have_come_and_gone(tmp_path: Path):
    skip_without("int8")
    program = (
        "import gc, os, signal, sys, torch\nfrom pathlib import Path\nfrom translate import networks\n"
        "from translate.engines import quantise\n"
        "made = networks.build('unet', {'in_channels': 3, 'out_channels': 3, 'width': 2, 'depth': 2}).eval()\n"
        "images = [torch.rand(1, 3, 8, 8)]\n"
        "one, _ = quantise(made, images, images, least=0, cache=Path(sys.argv[1]))\n"
        "two, _ = quantise(made, images, images, least=0, cache=Path(sys.argv[1]))\n"
        "one(images[0]), two(images[0])\n"
        "del one\ngc.collect()\ndel two\ngc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('came'))\nos.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "came" in done.stdout, done.stderr
