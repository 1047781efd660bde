"""Write the tables of settings into README.md from the fields; --check only says whether they are current."""

import re
import sys
from collections.abc import Collection
from pathlib import Path

from translate.cli.modes import describe_type
from translate.cli.sample import SampleSettings
from translate.config import ColouringSettings, Config, ConvertSettings, DataSettings, StylingSettings, TrainingSettings
from translate.methods import METHODS

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- settings: made by scripts/settings_table.py -->", "<!-- end of settings -->"
FLAGS = ["epochs", "steps", "batch_size", "size", "direction", "device", "precision", "execution", "workers", "seed"]
FLAGS += ["skip_bad", "on_trouble"]


def table(group: type[Config], flags: Collection[str] = ()) -> str:
    lines = ["| setting | default | takes | what it does |", "|---|---|---|---|"]
    for name, field in group.model_fields.items():
        shown = f"`--{name.replace('_', '-')}`" if name in flags else f"`{name}`"
        default = "" if field.default in (None, ()) else f"{field.default}"
        takes = describe_type(field).replace("|", ", ")
        lines.append(f"| {shown} | {default} | {takes} | {field.description} |")
    return "\n".join(lines)


def tables() -> str:
    parts = [f"**Data**\n\n{table(DataSettings, FLAGS)}", f"**Training**\n\n{table(TrainingSettings, FLAGS)}"]
    for mode, method in METHODS.items():
        usual = ", ".join(f"`{name}` {value}" for name, value in method.usual.items())
        parts.append(f"**`--mode {mode}`**{f', with {usual} by default' * bool(usual)}\n\n{table(method.settings)}")
    colouring = table(ColouringSettings, ColouringSettings.model_fields)
    parts.append(f"**`translate colorize`**, beside those of `convert`\n\n{colouring}")
    styling = table(StylingSettings, StylingSettings.model_fields)
    parts.append(f"**`translate stylize`**, beside those of `convert`\n\n{styling}")
    sampling = table(SampleSettings, SampleSettings.model_fields)
    parts.append(f"**`translate sample`**, beside `--device` and `--out`\n\n{sampling}")
    converting = table(ConvertSettings, ConvertSettings.model_fields)
    parts.append(f"**`translate convert`**, beside `--device`, `--backend`, `--precision`\n\n{converting}")
    return "\n\n".join(parts)


def main() -> None:
    text = README.read_text(encoding="utf-8")
    current = re.sub(f"(?s){BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{tables()}\n\n{END}", text)
    if "--check" in sys.argv:
        sys.exit("README.md is out of date: run python scripts/settings_table.py" if current != text else 0)
    README.write_text(current, encoding="utf-8")


if __name__ == "__main__":
    main()
