"""Refuse a .pt2 that could run code: torch evaluates much of what it reads there, and writes the rest into Python."""

import ast
import io
import json
import re
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch

from translate.errors import CheckpointError

_HARMLESS = (
    *("data/weights/weight_*", "data/weights/*_config.json", "data/constants/*_config.json", "data/constants/tensor_*"),
    *("data/sample_inputs/*.pt", "models/*.json", "extra/*", "archive_format", "archive_version", "byteorder"),
    *("version", ".data/*", ".format_version", ".storage_alignment"),
)
_NAME = re.compile(r"[A-Za-z0-9_.]*")
_VERSION = re.compile(r"[A-Za-z0-9_.+]*")
_ATEN = re.compile(r"torch\.ops\.aten\.([a-z0-9_]+)\.([A-Za-z0-9_]+)")
_ARITHMETIC = re.compile(
    r"_operator\.(add|sub|mul|floordiv|truediv|mod|neg|eq|ne|lt|le|gt|ge|getitem)|torch\.sym_(max|min|int|float|not)"
)
_TREE = re.compile(r'([][{},: 1]|null|"(type|context|children_spec|null|\[\]|builtins\.(tuple|list|dict))")*')
_SIZES = frozenset(
    [
        "Add",
        "Mul",
        "Pow",
        "Mod",
        "PythonMod",
        "FloorDiv",
        "CeilDiv",
        "CleanDiv",
        "IntTrueDiv",
        "Max",
        "Min",
        "Abs",
        "Integer",
        "Rational",
        "Eq",
        "Ne",
        "Equality",
        "Unequality",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "LessThan",
        "StrictLessThan",
        "GreaterThan",
        "StrictGreaterThan",
        "And",
        "Or",
        "Not",
    ]
)
_ENDLESS = ("int_oo", "oo")
_UNUSED = {"stack_trace", "nn_module_stack", "torch_fn"}
"""Of a node's metadata, what torch keeps as text."""


def refuse_code(path: Path) -> None:
    """Raise CheckpointError for what torch.export would run, or what it did not write of a generator of ours."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len({name.casefold() for name in names}) < len(names):
                raise CheckpointError(f"{path} is refused: it holds two files of one name, and torch may read either.")
            for name in names:
                inner = name.partition("/")[2]
                if not any(fnmatchcase(inner, pattern) for pattern in _HARMLESS):
                    raise CheckpointError(f"{path} is refused: it holds {name}, which no exported generator does.")
                if inner.endswith(".json"):
                    _refuse_strings(path, name, json.loads(archive.read(name).decode()))
                if inner.endswith("_config.json") and _has_pickles(archive.read(name)):
                    raise CheckpointError(f"{path} is refused: it holds pickled weights, which could run code.")
                if inner.endswith(".pt"):
                    _refuse_pickle(path, archive.read(name))
    except (OSError, zipfile.BadZipFile, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged, or not a file that torch.export saved: {error}.") from None


def _refuse_strings(path: Path, name: str, content: Any) -> None:
    for key, text in _strings(content, ""):
        if not _harmless(key, text):
            raise CheckpointError(f"{path} is refused: code could lie in {name}, as {key or 'a name'} {text[:60]!r}.")


def _strings(content: Any, key: str) -> list[tuple[str, str]]:
    """All strings with the key they stand at, and all keys, but no text that torch leaves alone."""
    if isinstance(content, str):
        return [(key, content)]
    if isinstance(content, list):
        return [found for each in content for found in _strings(each, key)]
    if not isinstance(content, dict):
        return []
    if key == "metadata":
        return [("metadata", name) for name in content if name not in _UNUSED]
    # Guards are never checked, and so never made code of.
    inside = [found for own, each in content.items() if own != "guards_code" for found in _strings(each, own)]
    return [("", own) for own in content] + inside


def _harmless(key: str, text: str) -> bool:
    if key == "metadata":
        return False
    if key == "expr_str":
        return _is_size(text)
    if key in ("target", "as_operator"):
        return _is_operator(text)
    if key in ("in_spec", "out_spec"):
        return bool(_TREE.fullmatch(text))
    return bool((_VERSION if key == "torch_version" else _NAME).fullmatch(text))


def _is_size(text: str) -> bool:
    """Whether `text` is a size as torch writes it: Add(Symbol('s34', positive=True, integer=True), Integer(-1))."""
    try:
        return _is_sum(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_sum(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return type(value) in (int, bool)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _is_sum(inner)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.FloorDiv(), right=right):
            return _is_sum(left) and _is_sum(right)
        case ast.Name(id=name):
            return name in _ENDLESS or bool(re.fullmatch(r"[su][0-9]+", name))
        case ast.Call(func=ast.Name(id="Symbol"), args=[ast.Constant(value=str(name))], keywords=given):
            known = all(each.arg in ("positive", "integer", "nonnegative") for each in given)
            plain = all(isinstance(each.value, ast.Constant) and each.value.value is True for each in given)
            return known and plain and bool(re.fullmatch(r"[su][0-9]+", name))
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]):
            return name in _SIZES and all(_is_sum(each) for each in given)
    return False


def _is_operator(text: str) -> bool:
    """Whether torch would take `text` for an operation on tensors or numbers, not for any function it can reach."""
    if _ARITHMETIC.fullmatch(text):
        return True
    named = _ATEN.fullmatch(text)
    if named is None or named[1] == "from_file":  # that one can make a file
        return False
    found = getattr(getattr(torch.ops.aten, named[1], None), named[2], None)
    return isinstance(found, torch._ops.OpOverload)


def _has_pickles(config: bytes) -> bool:
    return any(item.get("use_pickle", True) for item in json.loads(config).get("config", {}).values())


def _refuse_pickle(path: Path, content: bytes) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # garbage makes torch fail in any way at all
        raise CheckpointError(f"{path} is refused: its example is no tensor, and code could lie there.") from error
