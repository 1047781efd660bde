"""PSNR, SSIM, L1 and, with weights, LPIPS-squeeze of a folder of pictures against the true ones of the same stem."""

import argparse
from pathlib import Path

import torch

from translate import images
from translate.metrics import METRICS
from translate.metrics.lpips import LPIPS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outputs", type=Path, help="folder of translations")
    parser.add_argument("truths", type=Path, help="folder of true pictures; a larger one is resized to the output")
    parser.add_argument("--half", choices=["left", "right"], help="take this half of each true picture")
    parser.add_argument("--size", type=int, help="resize both to this many pixels squared")
    parser.add_argument("--only", type=Path, help="score only the stems in this folder")
    parser.add_argument("--features", type=Path, help="squeezenet1_1 weights, .safetensors")
    parser.add_argument("--heads", type=Path, help="LPIPS heads, .safetensors")
    arguments = parser.parse_args()
    outputs = {path.stem: path for path in images.list_images(arguments.outputs)}
    truths = {path.stem: path for path in images.list_images(arguments.truths)}
    wanted = {path.stem for path in images.list_images(arguments.only)} if arguments.only else set(truths)
    stems = sorted(outputs.keys() & truths.keys() & wanted)
    measures = dict(METRICS)
    if arguments.features and arguments.heads:
        measures["lpips"] = LPIPS.from_files(arguments.features, arguments.heads).eval()
    sums = dict.fromkeys(measures, 0.0)
    for stem in stems:
        output, truth = images.read(outputs[stem]).pixels, images.read(truths[stem]).pixels
        if arguments.half:
            middle = truth.shape[1] // 2
            truth = truth[:, :middle] if arguments.half == "left" else truth[:, middle:]
        height, width = (arguments.size, arguments.size) if arguments.size else output.shape[:2]
        pair = [images.to_tensor(images.resize(picture, height, width))[None] for picture in (output, truth)]
        with torch.no_grad():
            for name, measure in measures.items():
                sums[name] += float(measure(*pair))
    print(f"{len(stems)} pictures: " + "  ".join(f"{name} {total / len(stems):.4f}" for name, total in sums.items()))


if __name__ == "__main__":
    main()
