"""The wire network of many arrays at once on a GPU: `kernels.wires.network` in torch.

The elimination is that of `kernels.wires.reduction`, from single cells up. Arrays are filled up to
leaves of at most 8 x 8 cells, a power of two of them each way, so that all joins of a level are one
batch over arrays and blocks, and the number of calls grows with the logarithm of rows and columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aimc.errors import NotConverged, as_array, as_count, must
from aimc.kernels.wires import network
from aimc.kernels.wires.topology import Topology
from aimc.nn.blocks import Block, Join, fill, plan
from aimc.parts.wires import Wires

Tensor = torch.Tensor
Index = NDArray[np.int64]
_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4}


def transfers(
    g: Any,
    wires: Wires,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float64,
    limit: int = 2**30,
) -> Tensor:
    """The matrices with which `v @ transfer` are the sensed currents, one for each array, exactly,
    every row driven, whatever `wires.idle` says.

    The same elimination as `kernels.wires.network.transfers`, to which it is equal to 1e-10 of the
    largest entry in float64, and to 1e-4 in float32 (typically 1e-6; matrix products in TF32, which
    torch allows only when told to, are worse). Differentiable with respect to `g`.

    g        (arrays, rows, cols)  conductances [S], >= 0; a tensor or an array
    wires    resistances [ohm] and topology
    device   None: a GPU if torch sees one, else the CPU
    dtype    torch.float64 or torch.float32: of the computation and of the result
    limit    bytes to work in, besides `g` and the result: as many arrays are taken at a time as fit
             by the count of `plan`, about 100 numbers a cell of the filled-up array (more where
             one side is many times the other; up to twice what is used), and at least one. A
             gradient keeps the work of all arrays
    returns  (arrays, rows, cols)  [S], on `device`; `g` itself if no wire has resistance
    raises   ArgumentError for a wrong shape, NaN, a negative conductance, wires that are no Wires,
             a type other than the two, a device that torch cannot use; NotConverged where numbers
             overflow, a matrix is not that of a passive network, or one read by iteration disagrees
    """
    if not isinstance(wires, Wires):
        raise must("wires", "be a Wires", f"is {wires!r}")
    if dtype not in tuple(_TOLERANCE):
        raise must("dtype", "be torch.float64 or torch.float32", f"is {dtype!r}")
    limit = as_count("limit", limit)
    where = _device(device, dtype)
    exact = _conductances(g)
    g = exact.to(where, dtype)
    top = wires.topology((g.shape[1], g.shape[2]))
    if top.ideal:
        return g.clone()
    root = plan(fill(g.shape[1]), fill(g.shape[2]), top.row_end >= 0, top.col_end >= 0, where)
    step = max(1, limit // (root.numbers * g.element_size()))
    # The elimination begins at the bottom row, and at the left.
    turned = [axis for axis, turn in ((1, top.rows.step is None), (2, bool(top.cols.step))) if turn]
    result = [_transfers(part, root, top) for part in g.flip(turned).split(step)]
    result = torch.cat(result).flip(turned)
    _check(exact, g.detach(), result.detach(), top)
    return result


def _device(device: torch.device | str | None, dtype: torch.dtype) -> torch.device:
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(device)
        torch.zeros(1, device=found, dtype=dtype).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise must("device", "be one that torch can use", f"is {device!r}", reason) from error
    return found


def _conductances(g: Any) -> Tensor:
    """`g` as a tensor, once it is known to hold finite conductances."""
    if isinstance(g, Tensor) and g.is_meta:
        raise must("g", "hold values", "is on the device meta")
    if not isinstance(g, Tensor):
        return torch.from_numpy(as_array("g", g, (None, None, None), minimum=0.0))
    real = not g.is_complex()
    if not (real and g.ndim == 3 and g.numel() and ((g >= 0) & torch.isfinite(g)).all()):
        known = g.detach().cpu()
        known = known.double() if known.is_floating_point() else known
        as_array("g", known.numpy(), (None, None, None), minimum=0.0)
    return g


def _check(exact: Tensor, g: Tensor, result: Tensor, top: Topology) -> None:
    """Every matrix must be one of a passive network, and the heaviest array's agree with a read.

    Passive: no transfer is negative, and no row drives more current than through ideal wires.
    """
    tolerance = _TOLERANCE[result.dtype]
    rows, cols = g.shape[1:]
    shape = f"{rows} x {cols} cells"
    least, most = g.sum(2), result.sum(2)
    floor = tolerance * result.amax((1, 2))[:, None]
    passive = (result.amin(2) >= -floor) & (most <= least + cols * floor)
    if not (torch.isfinite(result).all() and passive.all()):
        raise NotConverged(
            f"The transfer matrix of {shape} must be finite and that of a passive network, but is "
            "not. Its conductances and resistances span too many decades.",
            residual=float("inf"),
        )
    heaviest = int(g.sum((1, 2)).argmax())
    one = exact[heaviest].detach().cpu().double().numpy()
    v = np.linspace(0.5, 1.0, rows)[None]
    current = network.reads(one, v, top, tol=1e-8)[0]
    gap = np.abs(v @ result[heaviest].cpu().double().numpy() - current).max()
    if not gap <= tolerance * np.abs(current).max():
        error = float(gap / np.abs(current).max())
        raise NotConverged(
            f"The transfer matrix of {shape} must agree with a read to {tolerance:g}, but does to "
            f"{error:.1e}. Its conductances and resistances span too many decades.",
            residual=error,
        )


def _transfers(g: Tensor, root: Block, top: Topology) -> Tensor:
    """(arrays, rows, cols) of arrays (arrays, rows, cols) whose bottom row comes first."""
    arrays, rows, cols = g.shape
    high, wide = fill(rows), fill(cols)
    flat = torch.nn.functional.pad(g, (0, wide - cols, 0, high - rows))
    flat = flat.reshape(arrays, high * wide).t()
    r, c = np.zeros((2, high, wide))
    r[:rows, :cols], c[:rows, :cols] = top.r_row, top.r_col
    r[:rows, 0], c[0, :cols] = top.first, top.last
    ohm = torch.from_numpy(np.stack([r, c]).reshape(2, high * wide, 1)).to(flat)
    k = _make(root, flat, ohm)
    if root.lanes:
        k = k.permute(2, 0, 1)
    left, bottom, right, up = (torch.from_numpy(i).to(k.device) for i in root.ports)
    left, bottom = left[:rows], bottom[:cols]
    if top.row_end < 0 and top.col_end < 0:
        return -_part(k, bottom, left).mT
    right = right[:rows] if top.row_end >= 0 else right[:0]
    up = up[:cols] if top.col_end >= 0 else up[:0]
    return _close(k, left, bottom, right, up, top).mT


def _part(k: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    return k[:, rows[:, None], cols]


def _close(
    k: Tensor, left: Tensor, bottom: Tensor, right: Tensor, up: Tensor, top: Topology
) -> Tensor:
    """Closes the far ends as `kernels.wires.closing` does; the unknowns are the currents there."""
    far = torch.cat([right, up])
    ends = k.new_tensor([top.row_end] * len(right) + [top.col_end] * len(up))
    system = torch.diag_embed(ends) - _part(k, far, far)
    drive = _part(k, far, left)
    if len(right):
        drive = drive + torch.eye(len(far), len(left), dtype=k.dtype, device=k.device)
    scale = system.diagonal(dim1=1, dim2=2).rsqrt()[:, :, None]
    answer = scale * torch.linalg.solve_ex(scale * system * scale.mT, scale * drive)[0]
    sensed = -(_part(k, bottom, left) + _part(k, bottom, far) @ answer)
    return sensed - answer[:, len(right) :] if len(up) else sensed


def _make(block: Block, g: Tensor, ohm: Tensor) -> Tensor:
    """Matrices of the blocks of arrays g (cells, arrays) with wires ohm (2, cells, 1)."""
    if block.parts is None:
        assert block.cells is not None
        return _cells(g.index_select(0, block.cells), ohm.index_select(1, block.cells))
    assert block.join is not None
    lanes, (p, q) = block.lanes, block.parts

    def part(made: Block) -> Tensor:
        k = _make(made, g, ohm)
        if made.lanes and not lanes:
            k = k.unflatten(2, (-1, g.shape[1])).permute(3, 2, 0, 1).flatten(0, 1)
        return k

    if p is q:
        both = part(p)
        pair = both.reshape(2 * len(both) ** 2, -1) if lanes else both.reshape(len(both) // 2, -1)
    elif lanes:
        pair = torch.cat([part(p).flatten(0, 1), part(q).flatten(0, 1)])
    else:
        pair = torch.cat([part(p).flatten(1), part(q).flatten(1)], dim=1)
    return _joined(pair, block.join, lanes)


def _cells(g: Tensor, ohm: Tensor) -> Tensor:
    """(4, 4, batch) of single cells (cells, arrays); see `aimc.kernels.wires.leaves`."""
    r, c = ohm.expand(2, *g.shape)
    s = g / (1 + g * (r + c))
    a = torch.stack([torch.ones_like(g), -torch.ones_like(g), r, -c])
    k = (s * a)[:, None] * a
    for one, two in ((0, 2), (1, 3)):
        k[one, two] -= 1
        k[two, one] -= 1
    k[2, 2] -= r
    k[3, 3] -= c
    return k.flatten(2)


def _inner(x: Tensor, y: Tensor, lanes: bool) -> Tensor:
    """x' y, over the first of the axes of ports."""
    if not lanes:
        return x.mT @ y
    product = x[0][:, None] * y[0]
    for a, b in zip(x[1:], y[1:], strict=True):
        product = torch.addcmul(product, a[:, None], b)
    return product


def _put(out: Tensor, x: Tensor, y: Tensor, lanes: bool, add: bool) -> None:
    """out = x' y, or added to it."""
    if lanes and add:
        for a, b in zip(x, y, strict=True):
            out.addcmul_(a[:, None], b)
    elif out.is_cuda and not lanes:
        out.baddbmm_(x.mT, y, beta=int(add))
    else:  # on a CPU products into a part of a matrix are not batched
        product = _inner(x, y, lanes)
        _ = out.add_(product) if add else out.copy_(product)


def _inverse(d: Tensor, a: Tensor, lanes: bool) -> Tensor:
    """(I + D A)^-1; with D and A positive semidefinite its determinant is at least one."""
    f = _inner(d, a, lanes)
    if not lanes:
        f.diagonal(dim1=1, dim2=2).add_(1)
        return torch.linalg.inv_ex(f)[0]
    if len(f) == 1:
        return 1 / (1 + f)
    one, two, low, high = 1 + f[0, 0], 1 + f[1, 1], f[1, 0], f[0, 1]
    adjugate = torch.stack([torch.stack([two, -high]), torch.stack([-low, one])])
    return adjugate / (one * two - low * high)


def _joined(pair: Tensor, join: Join, lanes: bool) -> Tensor:
    """The join of `aimc.kernels.wires.reduction`."""
    k, (n, high), (m, wide) = join.shared, join.rows, join.cols
    axis = 0 if lanes else 1

    def gather(index: Tensor, rows: int, cols: int) -> Tensor:
        return pair.index_select(axis, index).unflatten(axis, (rows, cols))

    def part(row: int, rows: int, col: int, cols: int) -> Tensor:
        return out.narrow(axis, row, rows).narrow(axis + 1, col, cols)

    d, a = -gather(join.d, k, k), gather(join.a, k, k)
    f = _inverse(d, a, lanes)  # the transpose of F
    xp, xq = gather(join.xp, k, m), gather(join.xq, k, wide)
    wp, wq = (xp, xq) if join.whole else (gather(join.wp, k, n), gather(join.wq, k, high))
    out = gather(join.out, n + high, m + wide)
    _put(part(0, n, 0, m), wp, _inner(_inner(f, a, lanes), xp, lanes), lanes, add=True)
    if wide:
        across, y = part(0, n, m, wide), -_inner(f, xq, lanes)
        _put(across, wp, y, lanes, add=False)
        if join.whole:
            part(n, high, 0, m).copy_(across.transpose(axis, axis + 1))
        if high:
            _put(part(n, high, m, wide), wq, _inner(d, y, lanes), lanes, add=True)
    if high and not join.whole:
        _put(part(n, high, 0, m), -_inner(f, wq, lanes), xp, lanes, add=False)
    return out
