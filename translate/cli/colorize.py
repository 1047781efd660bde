"""translate colorize: give greyscale photographs colours."""

from pathlib import Path
from typing import Annotated, Any

import typer

from translate.cli.convert import end_with, watched
from translate.cli.options import Backend, Device, Precision, with_settings
from translate.config import ColouringSettings, ConvertSettings


@with_settings(ColouringSettings, ConvertSettings, short={"variants": "-k"}, without=("tile", "int8_psnr"))
def colorize(
    source: Annotated[Path, typer.Argument(metavar="PHOTOS", help="An image or a folder of images.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where the coloured ones go.")],
    model: Annotated[
        str, typer.Option(help="A run folder or model file of mode colorize; the default comes with translate.")
    ] = "colorize-small",
    device: Device = "auto",
    backend: Backend = None,
    precision: Precision = "fp32",
    *,
    given: dict[str, Any],
) -> None:
    """Give every greyscale photograph of a folder its colours, at full size, with its own light.

    Brown and blue prints count as greyscale; pictures in colour are left as they are. Sizes, depths, formats, metadata,
    resuming and exit codes are as in `translate convert`.
    """
    colours = ColouringSettings.checked({k: v for k, v in given.items() if k in ColouringSettings.model_fields})
    settings = ConvertSettings.checked({k: v for k, v in given.items() if k in ConvertSettings.model_fields})
    end_with(lambda: _run(source, target, model, (device, backend, precision), colours, settings))


def _run(
    source: Path,
    target: Path,
    model: str,
    how: tuple[str, str | None, str],
    colours: ColouringSettings,
    settings: ConvertSettings,
) -> int:
    from translate.colorize import colorize_folder, open_model
    from translate.machine import cores

    device, backend, precision = how

    def convert_on(device: str, watch: Any) -> Any:
        translator = open_model(model, device, backend=backend, precision=precision, streams=cores())
        return colorize_folder(translator, source, target, colours=colours, watch=watch, **settings.model_dump())

    return watched(convert_on, device, target, settings)
