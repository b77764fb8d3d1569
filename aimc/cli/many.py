"""A command whose repeatable options take several values: `--bits 3 4 5`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class Many(TyperCommand):
    """Reads `--bits 3 4 5` as `--bits 3 --bits 4 --bits 5`; for commands without arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        repeatable = {name for p in self.params if getattr(p, "multiple", False) for name in p.opts}
        written: list[str] = []
        option = ""
        for place, word in enumerate(args):
            if word.startswith("-"):
                option = word if word in repeatable else ""
            elif option and args[place - 1] != option:
                written.append(option)
            written.append(word)
        return super().parse_args(ctx, written)
