"""Tensors and what is said of them in one safetensors file, written whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from aimc.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def write(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write `tensors` to `path` and make its folder; an interrupted write leaves the old file."""
    from safetensors.torch import save_file

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        part = Path(folder) / target.name
        save_file(whole, part, dict(metadata))
        part.chmod(0o644)  # safetensors writes for the owner alone
        part.replace(target)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file of `write`.

    Raises DataError where it is missing or damaged, or where a value is not finite.
    """
    from safetensors import SafetensorError, safe_open

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
