"""A command whose repeatable options take several values: `--bits 3 4 5`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperOption


class Many(TyperCommand):
    """Reads `--bits 3 4 5` as `--bits 3 --bits 4 --bits 5`; for commands without arguments."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = [p for p in self.params if isinstance(p, TyperOption) and p.multiple]
        repeatable = {name for option in options for name in option.opts}
        written: list[str] = []
        option = ""
        for place, word in enumerate(args):
            if word.startswith("-"):
                option = word if word in repeatable else ""
            elif option and args[place - 1] != option:
                written.append(option)
            written.append(word)
        return super().parse_args(ctx, written)
