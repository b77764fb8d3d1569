"""The command `aimc`: each command prints the objects that the scripts work with.

Tables and JSON go to stdout, progress and errors to stderr. Exit status 2 is a mistake that the
message names, 130 an interruption.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aimc.cli import options
from aimc.cli.many import Many
from aimc.errors import AimcError
from aimc.version import __version__


def _drop_what_cannot_be_written() -> None:
    """So that Python, on its way out, does not try again and say so in its own words."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:  # the reader has left, as `| head` does: click ends quietly
            raise
        except MemoryError as error:
            typer.echo(f"aimc: not enough memory: {str(error) or 'an allocation failed'}", err=True)
            raise typer.Exit(2) from error
        except OSError as error:
            if error.filename is None and error.strerror:
                said = f"what is printed must be written, but is refused: {error.strerror}"
            else:
                said = str(error)
            typer.echo(f"aimc: {said}", err=True)
            _drop_what_cannot_be_written()
            raise typer.Exit(2) from error
        except AimcError as error:
            typer.echo(f"aimc: {error}", err=True)
            raise typer.Exit(2) from error
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench, name="bench", help="Measure a network's accuracy on simulated chips.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aimc {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Simulate analog in-memory computing: memristor arrays whose ramp converters apply tanh and
    sigmoid by themselves, and the accuracy of networks that run on them.

    Start with `aimc cards`, then `aimc simulate taox-1t1r-128`.
    """


for kind, path in (
    (options.Cards, "show.listed"),
    (options.Simulate, "array.simulate"),
    (options.Ramp, "ramp.report"),
    (options.Netlist, "circuit.write"),
    (options.Check, "circuit.check"),
    (options.Cost, "costs.bill"),
    (options.Reproduce, "show.reproduced"),
):
    app.command(kind.__name__.lower())(options.calling(kind, path))
bench.command("kws", cls=Many)(options.calling(options.Speech, "keywords.bench"))
bench.command("lm", cls=Many)(options.calling(options.Text, "language.bench"))


def main() -> None:
    """Runs the command line and leaves with its exit status."""
    sys.exit(app())
