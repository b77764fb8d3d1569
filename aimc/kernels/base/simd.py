"""One instruction stream for eight circuits: sums of products that stay in registers.

LLVM does not keep a sum in a vector register across a loop over memory that it cannot tell apart,
so the loop is written in its own language. Any processor runs it: LLVM splits the vectors.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic

LANES = 8  # circuits side by side
STEP = 8 * LANES  # bytes from one number of a circuit to its next

cgutils: Any = _cgutils
_PAIR = types.UniTuple(types.intp, 2)
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


def _minus_products(height: int, width: int) -> Any:
    """The kernel for `height` lines of `width` neighbouring numbers."""

    def minus_products(typing: Any, out: Any, source: Any, x: Any, y: Any, count: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = [cgutils.unpack_tuple(builder, pair, 2) for pair in args[:4]]
            (out, out_line), (source, line), (x, x_step), (y, y_step) = pairs
            pointer = _VECTOR.as_pointer()

            def load(address: Any, k: int = 0) -> Any:
                address = builder.add(address, ir.Constant(address.type, STEP * k))
                return builder.load(builder.inttoptr(address, pointer), align=8)

            def lines(start: Any, step: Any) -> list[Any]:
                return [start, *(builder.add(start, step) for _ in range(height - 1))]

            places = [(a, b) for a in range(height) for b in range(width)]
            sums = [cgutils.alloca_once(builder, _VECTOR) for _ in places]
            sources, outs = lines(source, line), lines(out, out_line)
            for total, (a, b) in zip(sums, places, strict=True):
                builder.store(load(sources[a], b), total)
            with cgutils.for_range(builder, args[4]) as loop:
                at = builder.add(x, builder.mul(loop.index, x_step))
                row = builder.add(y, builder.mul(loop.index, y_step))
                factors = [load(at, a) for a in range(height)]
                values = [load(row, b) for b in range(width)]
                for total, (a, b) in zip(sums, places, strict=True):
                    term = builder.fmul(factors[a], values[b], flags=("contract",))
                    now = builder.fsub(builder.load(total), term, flags=("contract",))
                    builder.store(now, total)
            for total, (a, b) in zip(sums, places, strict=True):
                address = builder.add(outs[a], ir.Constant(out.type, STEP * b))
                builder.store(builder.load(total), builder.inttoptr(address, pointer), align=8)
            return context.get_dummy_value()

        return types.none(*[_PAIR] * 4, types.intp), codegen

    minus_products.__doc__ = f"""out = source - sum of x y, for {height} x {width} numbers.

    All are addresses of LANES doubles, each with the way to its next [bytes]: of `out` and `source`
    to the next line, of x and y to the next term of the sum. A line's x lie side by side, and so do
    a column's y. `out` and `source` may be the same.
    """
    return intrinsic(minus_products)


one = _minus_products(1, 1)
four = _minus_products(1, 4)
block = _minus_products(2, 4)
