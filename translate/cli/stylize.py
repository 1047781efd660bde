"""translate stylize: repaint pictures in the manner of paintings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from translate.cli.convert import end_with, watched
from translate.cli.options import Device, with_settings
from translate.config import ConvertSettings, StylingSettings
from translate.errors import ConfigError


@with_settings(StylingSettings, ConvertSettings, without=("tile", "int8_psnr", "batch", "lock"))
def stylize(
    source: Annotated[Path, typer.Argument(metavar="CONTENT", help="An image or a folder of images.")],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE...", help="A painting, several, or a folder of them: all are mixed.")
    ],
    target: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Where the repainted ones go.")],
    model: Annotated[
        Path | None,
        typer.Option(help="A run folder or model file of mode adain: a network paints, in one pass, in place of this."),
    ] = None,
    watch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save each picture under way as DIR/NAME/000010.png ...")
    ] = None,
    watch_every: Annotated[int, typer.Option(metavar="K", min=1, help="Steps between two pictures of --watch.")] = 10,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the weights of --features if they are not at hand.")
    ] = False,
    device: Device = "auto",
    *,
    given: dict[str, Any],
) -> None:
    """Repaint a picture, or every picture of a folder, in the manner of one or more paintings.

    Each is painted by optimisation, at its own size, depth and format; which features it was compared by stands in its
    metadata. Resuming and exit codes are as in `translate convert`.
    """
    styling = StylingSettings.checked({k: v for k, v in given.items() if k in StylingSettings.model_fields})
    others = {k: v for k, v in given.items() if k not in StylingSettings.model_fields}
    settings = ConvertSettings.checked(others)
    end_with(lambda: _run(source, styles, target, model, (watch, watch_every), download, device, styling, settings))


def _run(
    source: Path,
    styles: list[Path],
    target: Path,
    model: Path | None,
    frames: tuple[Path | None, int],
    download: bool,
    device: str,
    styling: StylingSettings,
    settings: ConvertSettings,
) -> int:
    from translate.stylize.bar import Bar
    from translate.stylize.feeding import feed_forward
    from translate.stylize.folder import stylize_folder
    from translate.stylize.watching import Frames

    bar = Bar()
    folder, every = frames
    if model is not None and (folder is not None or download):
        raise ConfigError("--watch and --download are for painting by optimisation; with --model a network paints.")

    def paint_on(device: str, watch: Any) -> Any:
        if model is not None:
            return feed_forward(model, source, styles, target, styling=styling, device=device, watch=watch, **plain)
        return stylize_folder(
            source,
            styles,
            target,
            styling=styling,
            device=device,
            download=download,
            watch=watch,
            follow=bar.follow,
            frames=None if folder is None else Frames(folder, every),
            **plain,
        )

    plain = settings.model_dump()
    return watched(paint_on, device, target, settings, words=("painted", "to paint"), bar=bar.on)
