"""Reads ngspice's raw files, binary and ascii."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aimc.errors import SpiceError

if TYPE_CHECKING:
    from pathlib import Path

    from aimc.arrays import Array, NDArray


@dataclass(frozen=True, eq=False)
class Plot:
    """One analysis: its name, and a vector (points,) for each name, as `v(out)` or `i(vs)`.

    Raises SpiceError (reason "raw") where a vector holds what is not finite.
    """

    name: str
    vectors: dict[str, Array]

    def __post_init__(self) -> None:
        for name, vector in self.vectors.items():
            bad = np.flatnonzero(~np.isfinite(vector))
            if bad.size:
                raise SpiceError(
                    f"The simulator's answer must be finite, but {name} is {vector[bad[0]]} at "
                    f"point {bad[0]} of {len(vector)} of {self.name or 'an analysis'}.", "raw",
                )  # fmt: skip

    def __getitem__(self, vector: str) -> Array:
        if vector not in self.vectors:
            raise SpiceError(
                f"The simulator's answer must hold {vector}, but holds no such vector: the circuit"
                " has no such node or source.",
                "nodes",
            )
        return self.vectors[vector]


def read(path: Path) -> list[Plot]:
    """Every plot of a raw file. SpiceError (reason "raw") where it is damaged or no raw file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpiceError(f"{path.name} must be a raw file, but {error.strerror}.", "raw") from error
    plots, at = [], 0
    while data[at:].strip():
        plot, at = _plot(data, at, path.name)
        plots.append(plot)
    return plots


def _plot(data: bytes, at: int, file: str) -> tuple[Plot, int]:
    head: dict[str, str] = {}
    names: list[str] = []
    try:
        while True:
            line, at = _line(data, at)
            key, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"{line[:40]!r} stands where a field is expected")
            key = key.strip().lower()
            if key == "variables":
                for _ in range(int(head["no. variables"])):
                    line, at = _line(data, at)
                    names.append(line.split()[1].lower())
            elif key in ("binary", "values"):
                break
            else:
                head[key] = value.strip()
        points, width = int(head["no. points"]), len(names)
        dtype = np.dtype("c16" if "complex" in head["flags"] else "f8")
        if key == "binary":
            size = points * width * dtype.itemsize
            if len(data) - at < size:
                raise ValueError(f"{size} bytes are expected and {len(data) - at} are there")
            values = np.frombuffer(data, dtype, points * width, at).reshape(points, width)
            at += size
        else:
            values, at = _ascii(data, at, points, width, dtype)
    except (KeyError, ValueError, IndexError) as error:
        raise SpiceError(f"`{file}` must be a raw file, but is damaged: {error}.", "raw") from error
    columns = np.ascontiguousarray(values.T)
    return Plot(head.get("plotname", ""), dict(zip(names, columns, strict=True))), at


def _line(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\n", at)
    if end < 0:
        raise ValueError("it ends within its header")
    return data[at:end].decode("utf-8", "replace"), end + 1


def _ascii(data: bytes, at: int, points: int, width: int, dtype: np.dtype) -> tuple[NDArray, int]:
    end = data.find(b"\nTitle:", at)
    end = len(data) if end < 0 else end + 1
    words = data[at:end].decode().split()
    if len(words) != points * (width + 1):
        raise ValueError(f"{points * width} values are expected and {len(words)} words are there")
    table = np.array(words).reshape(points, width + 1)[:, 1:]
    if dtype.kind == "c":
        parts = np.char.partition(table, ",")
        return parts[..., 0].astype(float) + 1j * parts[..., 2].astype(float), end
    return table.astype(float), end
