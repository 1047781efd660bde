"""Pictures a second of `translate convert`, beside a plain loop and the incumbent's test.py; start-up; memory."""

import argparse
import importlib.metadata
import importlib.util
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from _subjects import SUBJECTS, make_model, make_pictures
from PIL import Image

VARIANTS = (
    "--backend torch --precision fp32",
    "--backend openvino --precision fp32",
    "--backend torch --precision bf16 --compile",
    "--backend openvino --precision bf16",
    "--backend openvino --precision int8 --int8-psnr 0",  # random weights: the speed is meant, not the outputs
)
REFERENCE = f"{VARIANTS[0]} --format png"
INCUMBENT, PLAIN = "incumbent test.py", "plain loop"
KNOWN = [name for name, subject in SUBJECTS.items() if subject.theirs]
NEEDED = {"openvino": ("openvino",), "int8": ("nncf",), "onnx": ("onnxruntime",)}
STARTS = 5
MANY, EARLY = 5000, 500  # files of --memory, and when it first looks


class Bench(NamedTuple):
    """Where things lie while one subject is measured."""

    subject: str
    model: Path
    pictures: Path
    work: Path
    arguments: argparse.Namespace


class Run(NamedTuple):
    """One process: pictures per second after the first tenth, whole seconds, seconds to the first file."""

    rate: float
    seconds: float
    first: float


class RunError(Exception):
    """A process that failed or did not write every file."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=KNOWN, default=["resnet9", "unet256"])
    parser.add_argument("--small", action="store_const", const=["small"], dest="models", help="U-Net 128, 16 channels")
    parser.add_argument("--count", type=int, default=400, help="pictures, at least 10")
    parser.add_argument("--size", type=int, default=256, help="their side in pixels")
    parser.add_argument("--photos", type=Path, help="folder of pictures to use; they are cropped square, and resized")
    parser.add_argument("--rounds", type=int, default=1, help="times that all rows are measured in turn")
    parser.add_argument("--incumbent", type=Path, metavar="DIR", help="copy of pytorch-CycleGAN-and-pix2pix")
    parser.add_argument("--rows", nargs="+", metavar="WORD", help="measure only the rows whose names hold one of these")
    parser.add_argument("--formats", nargs="+", default=["png", "jpg"], help="formats that convert writes")
    parser.add_argument("--flags", action="append", metavar="FLAGS", help="a further row's flags for convert")
    parser.add_argument("--statistics", choices=["image", "running"], default="image", help="of batch norms")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--startup", action="store_true", help="seconds from process start to the first output file")
    parser.add_argument("--memory", action="store_true", help=f"memory of one process over {MANY} small files")
    arguments = parser.parse_args()
    if arguments.count < 10 or arguments.rounds < 1:
        parser.error("--count is 10 or more, --rounds 1 or more")
    print(machine(arguments.device))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if arguments.memory:
            memory(prepare("tiny", work, arguments, MANY, 32))
            return
        for subject in arguments.models:
            bench = prepare(subject, work / subject, arguments, 16 if arguments.startup else arguments.count)
            (startup if arguments.startup else throughput)(bench)
            shutil.rmtree(bench.work)


def machine(device: str) -> str:
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    fast = [name for name in ("avx512_bf16", "amx_bf16", "avx512_vnni", "amx_int8") if features.get(name)]
    kind = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    vino = importlib.metadata.version("openvino") if importlib.util.find_spec("openvino") else "missing"
    return (
        f"{os.cpu_count()} cores ({' '.join([torch.backends.cpu.get_cpu_capability(), *fast])}), device {kind}, "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, OpenVINO {vino}"
    )


def prepare(subject: str, work: Path, arguments: argparse.Namespace, count: int, size: int | None = None) -> Bench:
    pictures, model = work / "pictures", work / f"{subject}.safetensors"
    make_pictures(pictures, count, size or arguments.size, arguments.photos)
    theirs = work / "checkpoints" / subject / "latest_net_G.pth" if arguments.incumbent and subject in KNOWN else None
    make_model(subject, model, pictures, arguments.statistics, theirs)
    return Bench(subject, model, pictures, work, arguments)


def rows_of(bench: Bench) -> list[str]:
    """Names of the rows to measure; those of ours are the flags that convert is given."""
    arguments = bench.arguments
    own = [f"{flags} --format {suffix}" for suffix in arguments.formats for flags in arguments.flags or []]
    rows = [f"{variant} --format {suffix}" for suffix in arguments.formats for variant in VARIANTS]
    rows = [REFERENCE, *([INCUMBENT] if arguments.incumbent else []), PLAIN, *(row for row in rows if row != REFERENCE)]
    chosen = [row for row in rows if not arguments.rows or any(word in row for word in arguments.rows)] + own
    for row in list(chosen):
        missing = [name for word in row.split() for name in NEEDED.get(word, ()) if not importlib.util.find_spec(name)]
        if missing:
            print(f"skipped: {row}: {' and '.join(missing)} not installed")
            chosen.remove(row)
    return chosen


def command(bench: Bench, row: str, out: Path) -> list[str]:
    device = bench.arguments.device
    if row == PLAIN:
        loop = Path(__file__).with_name("_plain_loop.py")
        return [sys.executable, *map(str, (loop, bench.model, bench.pictures, out, device))]
    if row == INCUMBENT:
        places = {"dataroot": bench.pictures, "checkpoints_dir": bench.work / "checkpoints", "results_dir": out}
        places |= {"name": bench.subject, "num_test": len(list(bench.pictures.iterdir()))}
        flags = [word for name, value in places.items() for word in (f"--{name}", str(value))]
        flags += ["--eval"] if bench.arguments.statistics == "running" else []
        fixed = f"--model test --preprocess none {SUBJECTS[bench.subject].theirs}".split()
        return [sys.executable, str(bench.arguments.incumbent.resolve() / "test.py"), *fixed, *flags]
    convert = [sys.executable, "-m", "translate", "convert", str(bench.model), str(bench.pictures), str(out)]
    return [*convert, *row.split(), "--device", device]


def environment(bench: Bench) -> dict[str, str]:
    # What an earlier round or use has compiled must not shorten the first round's start.
    caches = {"TORCHINDUCTOR_CACHE_DIR": str(bench.work / "inductor"), "XDG_CACHE_HOME": str(bench.work / "cache")}
    # The incumbent takes a GPU whenever it sees one.
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if bench.arguments.device == "cpu" else {}
    return {**os.environ, **caches, **hidden}


def run(bench: Bench, row: str, out: Path) -> Run:
    began, clock = time.time(), time.perf_counter()
    done = subprocess.run(
        command(bench, row, out), capture_output=True, text=True, cwd=bench.work, env=environment(bench)
    )
    seconds = time.perf_counter() - clock
    # One yardstick for all: when each output was written.
    stamps = sorted(path.stat().st_mtime for path in outputs(out).values())
    wanted = len(list(bench.pictures.iterdir()))
    if done.returncode or len(stamps) != wanted:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing said").splitlines()[-1]
        raise RunError(f"exit code {done.returncode}, {len(stamps)} of {wanted} files: {said}")
    # It falls back to another precision when int8 is too far off: then the row is not what it is called.
    for note in [said for said in done.stderr.splitlines() if "int8" in row and "int8" in said]:
        print(f"note: {bench.subject}: {row}: {note.strip()}", flush=True)
    start = math.ceil(wanted / 10)
    spent = stamps[-1] - stamps[start]
    return Run((wanted - 1 - start) / spent if spent else math.inf, seconds, stamps[0] - began)


def outputs(out: Path) -> dict[str, Path]:
    """Translations below `out` by the stem of their input; the incumbent writes a copy of each input beside them."""
    found = (path for path in out.rglob("*.*") if path.suffix in (".png", ".jpg") and not path.stem.endswith("_real"))
    return {path.stem.removesuffix("_fake"): path for path in found}


def attempt(bench: Bench, rows: list[str], row: str, out: Path) -> Run | None:
    """`run`; a row that fails is named and measured no more."""
    try:
        return run(bench, row, out)
    except RunError as error:
        print(f"failed: {bench.subject}: {row}: {error}", flush=True)
        rows.remove(row)
        shutil.rmtree(out, ignore_errors=True)
        return None


def throughput(bench: Bench) -> None:
    rows = rows_of(bench)
    runs: dict[str, list[Run]] = {row: [] for row in rows}
    apart: dict[str, str] = {}
    truth = bench.work / "fp32"
    for number in range(bench.arguments.rounds):
        for row in list(rows):
            out = truth if row == REFERENCE and not number else bench.work / "out"
            made = attempt(bench, rows, row, out)
            if made:
                runs[row].append(made)
                if not number:
                    apart[row] = distance(outputs(out), outputs(truth))
            shutil.rmtree(bench.work / "out", ignore_errors=True)
    base = INCUMBENT if runs.get(INCUMBENT) else PLAIN
    print(f"\n{'':65}{'images a second':^26}{'ratio to':>10}{'seconds':^16}{'against fp32':>16}")
    heads = f"{'min':>8}{'median':>9}{'max':>9}{base.split()[0]:>10}{'first':>8}{'median':>8}{'dB, worst':>16}"
    print(f"{'model':9}{'row':56}{heads}")
    for row, made in runs.items():
        if made:
            print(f"{bench.subject:9}{row:56}{line(made, runs.get(base, []))}{apart[row]:>16}", flush=True)


def line(made: list[Run], base: list[Run]) -> str:
    rates, seconds = [one.rate for one in made], [one.seconds for one in made]
    # Round by round, for the machine's pace drifts between rounds.
    ratios = [mine.rate / other.rate for mine, other in zip(made, base, strict=False)]
    ratio = f"{statistics.median(ratios):.2f}x" if ratios else "-"
    spread = f"{min(rates):8.2f}{statistics.median(rates):9.2f}{max(rates):9.2f}"
    return f"{spread}{ratio:>10}{seconds[0]:8.1f}{statistics.median(seconds):8.1f}"


def distance(made: dict[str, Path], truth: dict[str, Path]) -> str:
    """PSNR over all pictures in dB, and the largest difference in 1/255; a JPEG's own loss would hide it."""
    if not truth or any(path.suffix == ".jpg" for path in made.values()):
        return "-"
    squares, worst = 0.0, 0
    for stem, path in made.items():
        with Image.open(path) as mine, Image.open(truth[stem]) as other:
            apart = np.asarray(mine, np.int16) - np.asarray(other, np.int16)
        squares += float(np.mean(apart.astype(np.float64) ** 2)) / len(made)
        worst = max(worst, int(abs(apart).max()))
    return f"{10 * math.log10(255**2 / squares):.1f}, {worst}" if squares else "same"


def startup(bench: Bench) -> None:
    rows = rows_of(bench)
    imports, firsts = [], {row: [] for row in rows}
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch"], check=True, cwd=bench.work, env=environment(bench))
        imports.append(time.perf_counter() - began)
        for row in list(rows):
            made = attempt(bench, rows, row, bench.work / "out")
            if made:
                firsts[row].append(made.first)
            shutil.rmtree(bench.work / "out", ignore_errors=True)
    base = statistics.median(imports)
    print(f"\n{bench.subject}: seconds from start to the first file, medians of {STARTS}; the very first; multiples")
    print(f"{'import torch':56}{base:8.2f}{imports[0]:8.2f}{1:8.1f}x")
    for row, seconds in firsts.items():
        if seconds:
            middle = statistics.median(seconds)
            print(f"{row:56}{middle:8.2f}{seconds[0]:8.2f}{middle / base:8.1f}x")


def memory(bench: Bench) -> None:
    print(f"\n{MANY} files in one process: MiB resident after {EARLY} files, at the end, growth")
    for row in rows_of(bench):
        if row in (PLAIN, INCUMBENT):
            continue
        out, early, late, done = bench.work / "out", 0.0, 0.0, 0
        with (bench.work / "log").open("w+") as log:
            process = subprocess.Popen(
                command(bench, row, out), stdout=log, stderr=log, cwd=bench.work, env=environment(bench)
            )
            while process.poll() is None:
                done = sum(1 for _ in out.iterdir()) if out.is_dir() else 0
                # Not while it ends and gives memory back.
                late = (resident(process.pid) if done < MANY else 0.0) or late
                early = early or (late if done >= EARLY else 0.0)
                time.sleep(0.02)
            log.seek(0)
            said = (log.read().strip() or "nothing said").splitlines()[-1]
        written = len(outputs(out))
        if process.returncode or written != MANY or not early:
            print(f"failed: {row}: exit code {process.returncode}, {written} of {MANY} files: {said}")
        else:
            print(f"{row:56}{early:8.0f}{late:8.0f}{late / early - 1:+9.1%}", flush=True)
        shutil.rmtree(out, ignore_errors=True)


def resident(pid: int) -> float:
    """MiB that a process and its children hold; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        threads = [thread / "children" for thread in Path(f"/proc/{pid}/task").iterdir()]
        children = {int(child) for thread in threads for child in thread.read_text().split()}
    except OSError:  # it ended between two looks
        return 0.0
    own = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
    return own / 1024 + sum(map(resident, children))


if __name__ == "__main__":
    main()
