"""Tensors and what is said of them in one safetensors file, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from aimc.errors import DataError, as_path, must
from aimc.nn.convert import check, layers
from aimc.nn.layers.base import as_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    Model = TypeVar("Model", bound=torch.nn.Module)


def save(model: torch.nn.Module, path: str | Path, about: Mapping[str, str] | None = None) -> None:
    """Write the state_dict of a float `model` and what `nn.calibrate` noted in it, for `load`.

    A safetensors file, whole or not at all. about: text that joins its metadata. Raises
    ArgumentError where `model` is programmed, or the file cannot be written.
    """
    check(model)
    if any(layer.chips for _, layer in layers(model)):
        raise must(
            "model", "be in floating point to be saved", "is programmed",
            "Save the model that it was made of: with the same seed it gives the same chip.",
        )  # fmt: skip
    ranges = {
        name: as_ranges(vars(module)["aimc_ranges"])
        for name, module in model.named_modules()
        if vars(module).get("aimc_ranges")
    }
    tensors = {name: value.detach().clone() for name, value in model.state_dict().items()}
    write(path, tensors, {**(about or {}), "ranges": json.dumps(ranges)})


def load(model: Model, path: str | Path) -> Model:
    """Weights, buffers and calibrated ranges of a file of `save`, put into `model`; returns it.

    Raises DataError where the file is missing, damaged, or of another model.
    """
    check(model)
    tensors, about = read(path)
    try:
        fill(model, tensors, about["ranges"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        rule = "must be a checkpoint of this model, written by `nn.save`"
        raise DataError(f"{path} {rule}, but is not ({error}).") from error
    return model


def fill(model: torch.nn.Module, tensors: Mapping[str, Tensor], ranges: str) -> None:
    """Put `tensors` and `ranges` (JSON) of a checkpoint into `model`, nothing cast.

    Raises one of torch's or Python's errors where they are another model's.
    """
    noted = {model.get_submodule(name): as_ranges(v) for name, v in json.loads(ranges).items()}
    for name, value in model.state_dict().items():
        if name in tensors:
            fits(name, tensors[name], value)
    model.load_state_dict(tensors)
    for module, found in noted.items():
        module.aimc_ranges = found  # pyright: ignore


def fits(name: str, found: Tensor, value: Tensor) -> Tensor:
    """`found` itself; ValueError where its type or shape is not that of `value`."""
    if (found.dtype, found.shape) != (value.dtype, value.shape):
        here, there = (f"{each.dtype} {tuple(each.shape)}" for each in (found, value))
        raise ValueError(f"its {name} is {here}, not {there}")
    return found


def write(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write `tensors` to `path` and make its folder; an interrupted write leaves the old file.

    Raises ArgumentError where the file cannot be written.
    """
    from safetensors.torch import save_file

    target = writable(path)
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            part = Path(folder) / target.name
            save_file(whole, part, dict(metadata))
            part.chmod(0o644)  # safetensors writes for the owner alone
            part.replace(target)
    except OSError as error:
        raise _unwritable("path", target, error.strerror or str(error)) from error


def writable(path: str | Path, name: str = "path") -> Path:
    """`path` as one of a file that can be written, in a folder that is made if it is not there.

    name: of the argument. Raises ArgumentError where it is a folder, or its folder cannot be made
    or written.
    """
    target = as_path(name, path)
    if target.is_dir():
        raise _unwritable(name, target, "it is a folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(name, target, f"{target.parent} cannot be a folder") from error
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise _unwritable(name, target, f"{target.parent} is write-protected")
    return target


def _unwritable(name: str, path: Path, why: str) -> Exception:
    return must(name, "be a file that can be written", f"{path} is not: {why}")


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file of `write`.

    Raises DataError where it is missing or damaged, or where a value is not finite.
    """
    from safetensors import SafetensorError, safe_open

    path = as_path("path", path)
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{path} must be a checkpoint in safetensors, but cannot be read ({error})."
        ) from error
    for name, value in tensors.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise DataError(
                f"{path} must be a checkpoint of finite numbers, but its {name} is not finite."
            )
    return tensors, metadata


def fingerprint(model: torch.nn.Module) -> str:
    """SHA-256 [hex] of a model: its structure as torch prints it, weights, buffers and ranges."""
    structure = re.sub(r" at 0x[0-9a-f]+", "", repr(model))
    ranges = {name: getattr(each, "aimc_ranges", {}) for name, each in model.named_modules()}
    return _hash([*model.named_parameters(), *model.named_buffers()], f"{structure} {ranges}")


def hashed(*tensors: Tensor) -> str:
    """SHA-256 [hex] of tensors: their types, shapes and values."""
    return _hash(((str(k), each) for k, each in enumerate(tensors)), "")


def _hash(tensors: Iterable[tuple[str, Tensor]], said: str) -> str:
    found = hashlib.sha256(said.encode())
    for name, value in tensors:
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        plain = value.detach().cpu().contiguous().reshape(-1)
        found.update(plain.view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def differing(here: str, there: str | None) -> str:
    """What of a run, described in JSON, differs in another's description, as text."""
    wanted = json.loads(here)
    try:
        found = json.loads(there or "{}")
        names = [name for name in wanted if found.get(name) != wanted[name]]
    except (ValueError, AttributeError):
        names = list(wanted)
    return f"{', '.join(names)} {'differs' if len(names) == 1 else 'differ'}"
