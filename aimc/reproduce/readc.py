"""The measured files of the ReADC paper (Nat. Commun. 2025, s41467-025-65233-w)."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aimc.errors import DataError, must

SOURCE = (
    "It holds source data of Nat. Commun. 2025, s41467-025-65233-w, from github.com/MIKEHHQ/ReADC "
    "(MIT licence; Data/SourceData_Fig_3.xlsx and SourceData_Fig_5.xlsx), saved as CSV."
)
# What each file's columns are.
FILES = {
    "device_programmed_conductance_uS.csv": "one column a target, 100 to 400 uS, of conductances",
    "device_read_noise.csv": "read cycle, target [uS], measured conductance [uS]",
    "device_iv.csv": "pairs of voltage [V] and current [uA], a sweep forth and back each",
    "quantizer_input.csv": "the values of Fig. 5a",
    "quantizer_output.csv": "those values after uniform and after adaptive quantisation",
}


def folder(data: str | Path | None) -> Path:
    """The folder with the files. Raises ArgumentError where there is none."""
    came = "is not given" if data is None else f"`{data}` is none"
    path = Path(data or "")
    if data is None or not path.is_dir():
        hint = f"{SOURCE} Files: {', '.join(FILES)}."
        raise must("--data", "be the folder of the measured files", came, hint)
    return path


def read(data: Path, file: str, columns: int, gaps: bool = False) -> NDArray[np.float64]:
    """The numbers of one file below its line of names, (lines, columns); where gaps are allowed
    an empty field is NaN. Raises DataError where the file is missing or holds anything else."""
    path = data / file
    if not path.is_file():
        raise DataError(f"`{path}` is missing ({FILES[file]}). {SOURCE}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file: refused below
            numbers = np.genfromtxt(path, delimiter=",", skip_header=1, ndmin=2, encoding="utf-8")
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"`{path}` is no table of numbers: {error}") from error
    if numbers.shape[1] != columns or not len(numbers):
        raise DataError(
            f"`{path}` must have {columns} columns ({FILES[file]}), but has shape {numbers.shape}."
        )
    bad = ~np.isfinite(numbers)
    if bad.any() and not gaps:
        line, column = (int(k) for k in np.argwhere(bad)[0])
        raise DataError(f"`{path}` holds no number in line {line + 2}, column {column + 1}.")
    return numbers
