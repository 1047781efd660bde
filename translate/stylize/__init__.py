"""Repaint pictures in the manner of paintings, by optimisation: one image, or a folder of them."""

from translate.stylize.folder import make_stylizer, stylize_folder
from translate.stylize.kinds import Before, Progress, Style
from translate.stylize.single import stylize
from translate.stylize.stylizer import Stylizer

__all__ = ["Before", "Progress", "Style", "Stylizer", "make_stylizer", "stylize", "stylize_folder"]
