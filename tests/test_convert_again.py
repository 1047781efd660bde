"""The same conversion again: only what is missing or out of date is made; killed at any moment, nothing is lost."""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_convert import contents, names
from test_fit import train
from test_processes import free_port

import translate
from translate import files, images
from translate.convert import convert
from translate.errors import ConfigError, DiskFullError, TranslateError, UnwritableError
from translate.translator import Translator


@pytest.fixture
def identity() -> Translator:
    return translate.load("identity")


def fill(folder: Path, count: int, side: int = 24) -> Path:
    draw = np.random.default_rng(count)
    for index in range(count):
        path = folder / f"sub{index % 3}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)
    return folder


def times(folder: Path) -> dict[str, int]:
    if not folder.exists():
        return {}
    return {name: (folder / name).stat().st_mtime_ns for name in names(folder)}


def strays(folder: Path) -> list[Path]:
    partial = folder / ".translate" / "partial"
    return [*partial.iterdir(), *folder.rglob(".*.partial-*")]


def test_only_what_is_missing_or_out_of_date_is_made(identity: Translator, tmp_path: Path):
    source, out = fill(tmp_path / "in", 6), tmp_path / "out"
    assert convert(identity, source, out).translated == 6
    before = times(out)
    again = convert(identity, source, out)
    assert (again.translated, again.skipped) == (0, 6) and times(out) == before
    (out / "sub0" / "0.png").unlink()
    Image.new("RGB", (3, 3)).save(source / "sub1" / "1.png")
    Image.new("RGB", (3, 3)).save(source / "new.png")
    again = convert(identity, source, out)
    assert (again.translated, again.skipped) == (3, 4)
    assert {name for name, when in times(out).items() if before.get(name) != when} == {
        "new.png",
        "sub0/0.png",
        "sub1/1.png",
    }
    assert convert(identity, source, out, overwrite=True).translated == 7


def test_another_model_direction_or_setting_makes_all_anew(folders: Path, tmp_path: Path):
    source, out = fill(tmp_path / "in", 3), tmp_path / "out"
    one = translate.load(train(folders, "cycle", tmp_path, "one", steps=1), "cpu")
    other = translate.load(train(folders, "cycle", tmp_path, "other", steps=1, seed=1), "cpu")
    for translator, direction, more in (
        (one, "AtoB", {}),
        (other, "AtoB", {}),
        (one, "AtoB", {}),
        (one, "BtoA", {}),
        (one, "AtoB", {"side_by_side": True}),
        (one.using(precision="bf16"), "AtoB", {"side_by_side": True}),
        (one, "AtoB", {"sequence": True}),
    ):
        assert convert(translator, source, out, direction=direction, **more).translated == 3
        assert convert(translator, source, out, direction=direction, **more).skipped == 3
    (folders.parent / "moved.safetensors").write_bytes((tmp_path / "one" / "model.safetensors").read_bytes())
    moved = translate.load(folders.parent / "moved.safetensors", "cpu")
    assert convert(moved, source, out, sequence=True).skipped == 3


def test_files_of_others_are_kept_and_named(identity: Translator, tmp_path: Path):
    source, out = fill(tmp_path / "in", 4), tmp_path / "out"
    (out / "sub0").mkdir(parents=True)
    (out / "sub0" / "0.png").write_bytes(b"not ours")
    summary = convert(identity, source, out)
    assert summary.translated == 3 and list(summary.failed) == [str(source / "sub0" / "0.png")]
    retouched = out / "sub1" / "1.png"
    retouched.write_bytes(retouched.read_bytes() + b"by hand")
    summary = convert(identity, source, out)
    assert summary.translated == 0 and len(summary.failed) == 2 and "--overwrite" in str(summary.failed)
    assert (out / "sub0" / "0.png").read_bytes() == b"not ours" and retouched.read_bytes().endswith(b"by hand")
    assert convert(identity, source, out, overwrite=True).translated == 4
    assert convert(identity, source, out).skipped == 4


def test_another_input_of_the_same_name_does_not_replace(identity: Translator, tmp_path: Path):
    one, other, out = fill(tmp_path / "one", 3), fill(tmp_path / "other", 3, 32), tmp_path / "out"
    convert(identity, one, out)
    made = contents(out)
    summary = convert(identity, other, out)
    assert summary.translated == 0 and len(summary.failed) == 3 and "made from another input" in str(summary.failed)
    assert contents(out) == made
    one.rename(tmp_path / "moved")
    assert convert(identity, tmp_path / "moved", out).skipped == 3


def test_links_in_the_output_do_not_lead_into_the_input(identity: Translator, tmp_path: Path):
    source, out = fill(tmp_path / "in", 3), tmp_path / "out"
    before = contents(source)
    out.mkdir()
    (out / "sub0").symlink_to(source / "sub0")
    for more in ({}, {"overwrite": True}, {"format": "bmp"}):
        assert str(source / "sub0" / "0.png") in convert(identity, source, out, **more).failed
        assert contents(source) == before


def test_a_manifest_that_is_damaged_or_of_another_version_is_said(identity: Translator, tmp_path: Path):
    source, out = fill(tmp_path / "in", 2), tmp_path / "out"
    convert(identity, source, out)
    manifest = out / ".translate" / "manifest-0.sqlite"
    good = manifest.read_bytes()
    for bad in (b"garbage" * 1000, good[:60] + b"\0\0\0\x09" + good[64:]):
        manifest.write_bytes(bad)
        for _ in range(2):  # the second time, nothing is locked any more
            with pytest.raises(ConfigError, match=r"manifest-0.sqlite.*Delete it"):
                convert(identity, source, out)
    manifest.unlink()
    assert len(convert(identity, source, out).failed) == 2
    assert convert(identity, source, out, overwrite=True).translated == 2


def test_a_dry_run_sees_masks_bad_links_and_files_of_others(identity: Translator, tmp_path: Path):
    source, masks, out = fill(tmp_path / "in", 3), tmp_path / "masks", tmp_path / "out"
    for name in names(source):
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (24, 24)).save(masks / name)
    convert(identity, source, out, mask=masks)
    (source / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (out / "sub1" / "1.png").write_bytes(b"by hand")
    summary = convert(identity, source, out, mask=masks, dry_run=True)
    assert (summary.translated, summary.skipped, len(summary.failed)) == (0, 2, 2)


def test_names_that_are_not_text(identity: Translator, tmp_path: Path):
    odd = os.fsdecode(b"\xff")
    source = fill(tmp_path / odd, 2)
    try:
        (source / "sub0" / "0.png").rename(source / "sub0" / f"{odd}.png")
    except OSError:
        pytest.skip("this file system wants names that are text")
    out = tmp_path / f"out{odd}"
    assert convert(identity, source, out, report=tmp_path / f"{odd}.json").translated == 2
    assert convert(identity, source, out).skipped == 2
    assert convert(identity, source / "sub0" / f"{odd}.png", tmp_path / f"single{odd}.png").translated == 1


def test_an_input_inside_the_output(identity: Translator, tmp_path: Path):
    fill(tmp_path / "photos", 3)
    assert convert(identity, tmp_path / "photos", tmp_path).translated == 3
    assert convert(identity, tmp_path / "photos", tmp_path).skipped == 3


def test_a_report_that_cannot_be_written_is_said_before_anything_is_made(identity: Translator, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(TranslateError, match="Cannot write"):
        convert(identity, fill(tmp_path / "in", 1), tmp_path / "out", report=tmp_path / "file" / "report.json")
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_and_does_nothing(identity: Translator, tmp_path: Path):
    from translate.convert import Watch

    source, out = fill(tmp_path / "in", 4), tmp_path / "out"
    said: list[str] = []
    watch = Watch(listed=lambda job, state: said.append(f"{job.name} {state.name}"))
    assert convert(identity, source, out, dry_run=True, watch=watch).translated == 4
    assert not out.exists() and len(said) == 4
    convert(identity, source, out, include=["sub0/*"])
    said.clear()
    summary = convert(identity, source, out, dry_run=True, watch=watch)
    assert (summary.translated, summary.skipped) == (2, 2)
    assert sorted(said) == ["sub0/0.png DONE", "sub0/3.png DONE", "sub1/1.png MISSING", "sub2/2.png MISSING"]


def test_two_conversions_into_one_folder_are_refused(identity: Translator, tmp_path: Path):
    source, out = fill(tmp_path / "in", 2), tmp_path / "out"
    convert(identity, source, out)
    held = files.lock(out / ".translate")
    assert held is not None
    program = (
        "import sys, translate\nfrom translate.convert import convert\n"
        "convert(translate.load('identity'), sys.argv[1], sys.argv[2])"
    )
    done = subprocess.run([sys.executable, "-c", program, source, out], capture_output=True, text=True, check=False)
    os.close(held)
    assert done.returncode and "Another conversion is writing" in done.stderr


def test_a_process_killed_before_the_rename_leaves_what_was_there_ours(
    identity: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source, out = fill(tmp_path / "in", 1), tmp_path / "out"
    convert(identity, source, out)
    old = contents(out)
    Image.new("RGB", (3, 3)).save(source / "sub0" / "0.png")

    class Killed(BaseException):
        pass

    def killed(self: Path, target: Path) -> Path:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(Killed):
            convert(identity, source, out)
    assert contents(out) == old
    assert convert(identity, source, out).translated == 1
    assert images.size(out / "sub0" / "0.png") == (3, 3)


KILLS = 50


@pytest.fixture(scope="module")
def server() -> Any:
    """Starts processes in which translate is imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["translate.convert", "test_convert_again"])
    return context


def go_on(model: Path, source: Path, out: Path, begins: Any) -> None:
    translator = translate.load(model, "cpu", streams=2)
    begins.set()
    convert(translator, source, out)


def test_fifty_kills_change_nothing(folders: Path, tmp_path: Path, server: Any):
    source = fill(tmp_path / "in", 200, 32)
    model = train(folders, "cycle", tmp_path, steps=2)
    convert(translate.load(model, "cpu", streams=2), source, tmp_path / "whole")
    wanted, draw = contents(tmp_path / "whole"), random.Random(7)
    killed, out, done = 0, tmp_path / "out", dict[str, int]()
    while killed < KILLS or done:
        begins = server.Event()
        process = server.Process(target=go_on, args=(model, source, out, begins))
        process.start()
        assert begins.wait(60)
        # Every life makes something new; the kill comes at any moment after that.
        while process.is_alive() and (killed >= KILLS or times(out).keys() <= done.keys()):
            process.join(0.002)
        process.join(draw.uniform(0, 0.05))
        ended = not process.is_alive()
        if not ended:
            process.kill()
            process.join()
            killed += 1
        now = times(out)
        assert {name: now[name] for name in done} == done, "a finished image was made again"
        done = now
        if ended:
            assert process.exitcode == 0
            assert contents(out) == wanted and not strays(out)
            shutil.rmtree(out)
            done = {}


def test_ctrl_c_finishes_what_was_begun_and_says_how_to_go_on(folders: Path, tmp_path: Path):
    source, out = fill(tmp_path / "in", 150, 64), tmp_path / "out"
    model = train(folders, "cycle", tmp_path, steps=1)
    command = [sys.executable, "-m", "translate", "convert", str(model), str(source), str(out), "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (out.exists() and names(out)):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode == 130 and "The same command goes on" in said
    assert not strays(out) and 0 < len(names(out)) < 150
    for name in names(out):
        images.read(out / name)


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this user cannot mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_said_wherever_it_is_met(identity: Translator, tmp_path: Path, small_disk: Path):
    source = fill(tmp_path / "in", 200, 8)
    for filled in (600, 700, 760, 800):  # so that now an output, now the manifest does not fit
        (small_disk / "filler").write_bytes(bytes(filled * 1024))
        with pytest.raises(DiskFullError, match="No space left"):
            convert(identity, source, small_disk / "out")
        shutil.rmtree(small_disk / "out")


def test_a_full_disk_stops_at_once_with_nothing_half_written(identity: Translator, tmp_path: Path, small_disk: Path):
    source = fill(tmp_path / "in", 60, 128)  # 49 kB each
    with pytest.raises(DiskFullError, match="No space left"):
        convert(identity, source, small_disk / "out")
    made = names(small_disk / "out")
    assert 0 < len(made) < 60 and not strays(small_disk / "out")
    for name in made:
        assert np.array_equal(images.read(small_disk / "out" / name).pixels, images.read(source / name).pixels)


def test_a_read_only_output_stops_at_once(identity: Translator, tmp_path: Path, small_disk: Path):
    source = fill(tmp_path / "in", 3)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UnwritableError, match=r"Cannot write to .*[Rr]ead-only"):
        convert(identity, source, small_disk / "out")


def test_a_disk_that_takes_no_more_ends_the_command_with_2(
    identity: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = fill(tmp_path / "in", 20)
    written = []

    def full(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return original(self, data)

    original = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError):
        convert(identity, source, tmp_path / "out")
    assert len(names(tmp_path / "out")) == 3 and not strays(tmp_path / "out")


def test_two_processes_make_the_same_bytes_and_one_summary(folders: Path, tmp_path: Path):
    source = fill(tmp_path / "in", 9)
    (source / "bad.png").touch()
    model = train(folders, "cycle", tmp_path, steps=1)
    how = [str(model), str(source)]
    flags = ["--device", "cpu", "--backend", "torch", "--precision", "fp32"]
    one = subprocess.run(
        [sys.executable, "-m", "translate", "convert", *how, tmp_path / "one", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    launch += [f"--master-port={free_port()}"]
    two = subprocess.run(
        [*launch, "-m", "translate", "convert", *how, tmp_path / "two", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != {}
    for done in (one, two):
        assert done.returncode == 1
        assert done.stderr.count("9 translated into") == 1 and done.stderr.count("failed: ") == 1, done.stderr
    again = subprocess.run(
        [sys.executable, "-m", "translate", "convert", *how, tmp_path / "two", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "0 translated" in again.stderr and "9 there already" in again.stderr


def test_what_auto_chose_stays_chosen(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from translate import engines

    source, out = fill(tmp_path / "in", 2), tmp_path / "out"
    model = train(folders, "cycle", tmp_path, steps=1)
    monkeypatch.setattr(engines, "choose_precision", lambda device: "bf16")
    convert(translate.load(model, "cpu", precision="auto"), source, out)
    monkeypatch.setattr(engines, "choose_precision", lambda device: "fp32")
    assert convert(translate.load(model, "cpu", precision="auto"), source, out).skipped == 2
    assert convert(translate.load(model, "cpu", precision="fp32"), source, out).translated == 2


def test_a_folder_cannot_be_a_file(identity: Translator, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        convert(identity, fill(tmp_path / "in", 1), tmp_path / "file")
