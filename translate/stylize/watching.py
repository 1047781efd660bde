"""The picture under way, saved every few steps."""

from pathlib import Path

import numpy as np

from translate import files, images
from translate.convert.plan import Plan
from translate.errors import ConfigError
from translate.images import Picture
from translate.stylize.kinds import Progress


class Frames:
    """Saves the picture under way as `folder`/NAME/000010.png and so on, every `every` steps; whole files only.

    NAME is that of the output, below its folder. Raises what files.write_bytes does.
    """

    def __init__(self, folder: Path, every: int = 10) -> None:
        if every < 1:
            raise ConfigError(f"--watch-every is {every}; it is 1 or more.")
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--watch {folder} is a file: give a folder.")
        self.folder, self.every = folder, every

    def __call__(self, name: str, progress: Progress) -> None:
        if progress.done % self.every:
            return
        place = self.folder / name
        files.make_folder(place)
        shown = images.to_depth(progress.image().clip(-1, 1), np.uint8)
        images.write(place / f"{progress.done:06d}.png", Picture(shown))

    def make(self) -> None:
        """Make the folder now, so that what cannot be written is known before anything is painted."""
        files.make_folder(self.folder)

    def refuse_input(self, source: Path) -> None:
        """Raise ConfigError if the folder lies in the input: its pictures would be taken for inputs."""
        here, there = source.resolve(), self.folder.resolve()
        if source.is_dir() and (here == there or here in there.parents):
            raise ConfigError(f"--watch {self.folder} lies inside {source}: what it saves would be taken for inputs.")

    def refuse_output(self, plan: Plan) -> None:
        """Raise ConfigError if the folder lies among the outputs: a folder named after one would take its place.

        Beside the output of a single picture it may lie, but not be the folder that this is put into.
        """
        here, there = plan.folder.resolve(), self.folder.resolve()
        where = "is where the output goes" if plan.single else "is where outputs go"
        if plan.single:
            (output,) = (job.target.resolve() for job in plan.jobs())
            refused = there in (here, output) or output in there.parents
        else:
            refused = here == there or here in there.parents
            where = where if here == there else f"lies inside {plan.target}"
        if refused:
            raise ConfigError(
                f"--watch {self.folder} {where}: what it saves would take their places. Choose a folder beside them."
            )
