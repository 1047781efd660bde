"""Clips repainted frame after frame: each goes on from the file before it, also when a run is taken up again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_convert import contents, names
from test_convert_again import strays
from test_stylize_folder import Shifted, noise, paint, put

from translate import distributed, images
from translate.config import StylingSettings
from translate.convert import Watch
from translate.errors import ConfigError, DiskFullError
from translate.images import Picture, read
from translate.stylize.folder import stylize_folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five frames of which the ninth comes before the tenth."""
    for index in range(8, 13):
        put(tmp_path / "in" / f"f{index}.png", Picture(noise(seed=index)))
    return tmp_path / "in"


def test_a_frame_goes_on_from_the_file_before_it(clip: Path, tmp_path: Path):
    painter = Shifted()
    summary = paint(clip, tmp_path / "out", painter, sequence=True)
    assert summary.translated == 5 and summary.flicker is not None
    order = [f"f{index}.png" for index in range(8, 13)]
    assert painter.befores[0] is None
    for index, before in enumerate(painter.befores[1:]):
        assert before is not None
        for values, folder in ((before.made, tmp_path / "out"), (before.content, clip)):
            assert np.array_equal(values, images.to_depth(read(folder / order[index]).pixels, np.float32))


@pytest.mark.parametrize("more", [{}, {"format": "jpg"}, {"side_by_side": True}, {"size": 20}])
def test_a_clip_that_is_taken_up_again_has_the_same_bytes(clip: Path, tmp_path: Path, more: dict[str, Any]):
    paint(clip, tmp_path / "whole", sequence=True, **more)

    class Stopping(Shifted):
        def paint(self, *given: Any, **how: Any) -> np.ndarray:
            if len(self.seen) == 2:
                raise KeyboardInterrupt
            return super().paint(*given, **how)

    with pytest.raises(KeyboardInterrupt):
        paint(clip, tmp_path / "parts", Stopping(), sequence=True, **more)
    assert len(names(tmp_path / "parts")) == 2
    again = paint(clip, tmp_path / "parts", sequence=True, **more)
    assert (again.translated, again.skipped) == (3, 2)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole") and not strays(tmp_path / "parts")


def test_a_frame_that_changes_makes_those_after_it_anew(clip: Path, tmp_path: Path):
    paint(clip, tmp_path / "out", sequence=True)
    assert paint(clip, tmp_path / "out", sequence=True).skipped == 5
    put(clip / "f10.png", Picture(noise(seed=99)))
    listed: list[str] = []
    watch = Watch(listed=lambda job, state: listed.append(f"{job.name} {state.name}"))
    rehearsed = paint(clip, tmp_path / "out", sequence=True, dry_run=True, watch=watch)
    assert (rehearsed.translated, rehearsed.skipped) == (3, 2)
    assert listed == ["f8.png DONE", "f9.png DONE", "f10.png STALE", "f11.png STALE", "f12.png STALE"]
    again = paint(clip, tmp_path / "out", sequence=True)
    assert (again.translated, again.skipped) == (3, 2)
    paint(clip, tmp_path / "fresh", sequence=True)
    assert contents(tmp_path / "fresh") == contents(tmp_path / "out")
    assert paint(clip, tmp_path / "out").translated == 5  # no clip: other settings


def test_a_frame_that_was_touched_up_is_gone_on_from(clip: Path, tmp_path: Path):
    paint(clip, tmp_path / "out", sequence=True)
    mended = put(tmp_path / "out" / "f9.png", Picture(noise(seed=50))).read_bytes()
    rehearsed = paint(clip, tmp_path / "out", sequence=True, dry_run=True)
    painter = Shifted()
    summary = paint(clip, tmp_path / "out", painter, sequence=True)
    for each in (rehearsed, summary):
        assert (each.translated, each.skipped) == (3, 1)
        assert list(each.failed) == [str(clip / "f9.png")] and "--overwrite" in str(each.failed)
    assert (tmp_path / "out" / "f9.png").read_bytes() == mended and not summary.notes
    assert painter.befores[0] is not None and len(painter.befores) == 3
    assert np.array_equal(painter.befores[0].made, images.to_depth(noise(seed=50), np.float32))
    again = paint(clip, tmp_path / "out", sequence=True)
    assert (again.translated, again.skipped) == (0, 4)  # and stays so
    (tmp_path / "out" / "f9.png").write_bytes(b"no picture")
    summary = paint(clip, tmp_path / "out", sequence=True)
    assert summary.translated == 3
    assert summary.examples["begun afresh: the frame before cannot be read"] == ["f10.png"]


def test_after_a_frame_that_failed_or_of_another_size_a_clip_begins_afresh(clip: Path, tmp_path: Path):
    paint(clip, tmp_path / "out", sequence=True)
    (clip / "f9.png").write_bytes(b"nothing")  # its output of the first run must not be gone on from
    put(clip / "f11.png", Picture(noise(22, 30)))
    painter = Shifted()
    summary = paint(clip, tmp_path / "out", painter, sequence=True)
    assert len(summary.failed) == 1 and (summary.translated, summary.skipped) == (3, 1)
    assert painter.befores == [None, None, None]
    assert summary.examples["begun afresh: the frame before could not be made"] == ["f10.png"]
    assert summary.examples["begun afresh: the frame before is of another size"] == ["f11.png", "f12.png"]


def test_a_full_disk_ends_a_clip(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written = []

    def full(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) > 2:
            raise OSError(28, "No space left on device")
        return original(self, data)

    original = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError):
        paint(clip, tmp_path / "out", sequence=True)
    assert names(tmp_path / "out") == ["f8.png", "f9.png"]


def test_several_processes_do_not_share_a_clip(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(distributed, "world", lambda: 2)
    with pytest.raises(ConfigError, match="without torchrun"):
        stylize_folder(clip, [noise()], tmp_path / "out", styling=StylingSettings.checked({}), sequence=True)
