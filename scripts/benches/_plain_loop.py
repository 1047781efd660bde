"""The loop that convert.py compares with: PIL, eager fp32, one picture at a time, PNG as PIL saves it by default."""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from translate import checkpoint


@torch.no_grad()
def main(model: str, source: str, target: str, device: str) -> None:
    loaded = checkpoint.load_model(Path(model))
    # A batch norm in training mode uses the statistics of the one picture that it sees.
    network = loaded.networks[loaded.about.direction].train(loaded.about.statistics == "image").to(device)
    Path(target).mkdir(parents=True)
    for path in sorted(Path(source).iterdir()):
        pixels = np.array(Image.open(path).convert("RGB"))
        picture = torch.from_numpy(pixels.transpose(2, 0, 1)).to(device, torch.float32) / 127.5 - 1
        output = network(picture.contiguous()[None])[0]
        made = ((output + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        Image.fromarray(made).save(Path(target) / f"{path.stem}.png")


main(*sys.argv[1:])
