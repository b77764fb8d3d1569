"""The command `aimc`: each command prints the objects that the scripts work with.

Tables and JSON go to stdout, progress and errors to stderr. Exit status 2 is a mistake that the
message names, 130 an interruption.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from aimc.cli.many import Many
from aimc.cli.options import Json, Seed, Speech, Text, taking
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

Bits = Annotated[
    int | None,
    typer.Option(min=1, max=16, help="Input and output bits.", show_default="as the card says"),
]
Out = Annotated[Path | None, typer.Option(help="Folder for figures and JSON.")]


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


@app.command()
def cards(
    name: Annotated[
        str | None,
        typer.Argument(help="A card, or the path of your own (.toml).", show_default="list all"),
    ] = None,
    json: Json = False,
) -> None:
    """List the hardware that can be simulated, or show one card: every number with its source.

    A number marked "unverified" is an assumption, or is quoted without its source having been read.
    """
    from aimc.cli import show

    if name is None:
        show.all_cards(json)
    else:
        show.one_card(name, json)


@app.command()
def simulate(
    card: Annotated[str, typer.Argument(help="A card (see `aimc cards`), or a path (.toml).")],
    rows: Annotated[
        int | None, typer.Option(min=1, help="Inputs.", show_default="the array's")
    ] = None,
    cols: Annotated[
        int | None, typer.Option(min=1, help="Outputs.", show_default="the array's")
    ] = None,
    curve: Annotated[
        str, typer.Option(help="What the converter applies: linear, sigmoid, softplus ...")
    ] = "tanh",
    batch: Annotated[int, typer.Option(min=1, help="Random input vectors.")] = 1000,
    seed: Seed = 0,
    bits: Bits = None,
    json: Json = False,
    out: Out = None,
) -> None:
    """Program one array with random weights, read it, and compare with the exact product.

    Weights are normal and inputs uniform in [-1, 1], scaled so that a pre-activation has a standard
    deviation of one; with `--curve linear` of 0.25, so that the range of the converter, +-1, holds
    four of them. Errors are in LSB, the step between two output codes; more rows or columns than
    one array has are spread over several. Where rows are split, INL and DNL are those of the
    linear converters of the partial sums.
    """
    from aimc.cli import array

    array.simulate(card, rows, cols, curve, batch, seed, bits, json, out)


@app.command("ramp")
def ramp_column(
    card: Annotated[str, typer.Argument(help="A card (see `aimc cards`), or a path (.toml).")],
    curve: Annotated[str, typer.Option(help="What the ramp applies: sigmoid, tanh, ...")] = "tanh",
    bits: Bits = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="none, one-point, multi-point or closed-loop.", show_default="each of them"
        ),
    ] = None,
    chips: Annotated[int, typer.Option(min=1, help="Chips to program with each.")] = 1000,
    seed: Seed = 0,
    json: Json = False,
    out: Out = None,
) -> None:
    """Design the ramp of a curve, and how far from it chips are before and after calibration.

    Prints whether the curve's steps can be made of the card's cells, and what can where they
    cannot: exit status 2. INL and DNL are referred to the output, against the ideal curve.
    """
    from aimc.cli import ramp

    ramp.report(card, curve, bits, calibration, chips, seed, json, out)


Rows = Annotated[int, typer.Option(min=1, help="Inputs of the array.")]
Cols = Annotated[int, typer.Option(min=1, help="Outputs of the array.")]
Curve = Annotated[
    str, typer.Option(help="What the converter applies: linear, sigmoid, softplus ...")
]
Gain = Annotated[
    float | None,
    typer.Option(help="Gain of the integrators' amplifiers.", show_default="ideal"),
]


@app.command()
def netlist(
    card: Annotated[str, typer.Argument(help="A card (see `aimc cards`), or a path (.toml).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The deck; its models go into a folder beside.")
    ],
    rows: Rows = 8,
    cols: Cols = 4,
    curve: Curve = "sigmoid",
    batch: Annotated[int, typer.Option(min=1, help="Conversions, one after the other.")] = 1,
    dialect: Annotated[
        str, typer.Option(help="ngspice, ltspice, xyce, hspice or spectre; only ngspice is tested.")
    ] = "ngspice",
    analysis: Annotated[
        str, typer.Option(help="tran: whole conversions; op: the array's operating points.")
    ] = "tran",
    gain: Gain = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Write a programmed array, from row drivers to comparators, as a SPICE netlist.

    Weights and inputs are random, as those of `aimc simulate`, and the same for a seed.
    """
    from aimc.cli import circuit

    circuit.write(card, output, rows, cols, curve, batch, dialect, analysis, gain, seed, json)


@app.command()
def check(
    card: Annotated[str, typer.Argument(help="A card (see `aimc cards`), or a path (.toml).")],
    rows: Rows = 8,
    cols: Cols = 4,
    curve: Curve = "sigmoid",
    batch: Annotated[int, typer.Option(min=1, help="Random input vectors.")] = 4,
    gain: Gain = None,
    seed: Seed = 0,
    json: Json = False,
    out: Out = None,
) -> None:
    """Simulate a programmed array with ngspice too, and compare: exit status 1 where they differ.

    Compared are every node's voltage and every column's current at the operating point, then
    currents, sampled voltages, ramp levels and codes of whole conversions.
    """
    from aimc.cli import circuit

    circuit.check(card, rows, cols, curve, batch, gain, seed, json, out)


@app.command()
def cost(
    card: Annotated[str, typer.Argument(help="A card (see `aimc cards`), or a path (.toml).")],
    model: Annotated[str, typer.Option(help="lstm, gru, rnn or linear.")] = "lstm",
    inputs: Annotated[int, typer.Option(min=1, help="Features of the input.")] = 40,
    hidden: Annotated[int, typer.Option(min=1, help="Features of the state, or outputs.")] = 32,
    projection: Annotated[int, typer.Option(min=0, help="Of an LSTM's output; 0: none.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Steps of a sequence.")] = 1,
    tall: Annotated[
        bool, typer.Option("--tall", help="Arrays with as many rows as the matrix.")
    ] = False,
    cell_tanh: Annotated[
        str,
        typer.Option(help="tanh of an LSTM's cell state: digital, as in `aimc bench`, or ramp."),
    ] = "digital",
    activity: Annotated[
        float, typer.Option(min=0, max=1, help="Mean share of a full activation's energy.")
    ] = 0.5,
    processors: Annotated[
        int | None,
        typer.Option(
            min=1, help="Look-up and element-wise units.", show_default="as the card says"
        ),
    ] = None,
    costs: Annotated[str, typer.Option(help="A cost card, or a path (.toml).")] = "puma-ramp",
    bits: Bits = None,
    json: Json = False,
    out: Out = None,
) -> None:
    """Energy, area and latency of a network layer, component by component, with the schedule.

    Nothing is programmed: the layer is described with the card's own converters, and compared with
    the same one behind others: ramps and flash, which apply the functions themselves, linear ramps,
    successive approximation and one-step, behind which look-ups do.
    """
    from aimc.cli import costs as command

    command.bill(
        card, model, inputs, hidden, projection, steps, tall, cell_tanh, activity, processors,
        costs, bits, json, out,
    )  # fmt: skip


@bench.command(cls=Many)
@taking(Speech)
def kws(options: Speech) -> None:
    """Keyword spotting (12 classes) with an LSTM: its accuracy in floating point and on chips.

    Trains the network, programs it into `--chips` simulated chips of each card (taox-1t1r-128 if
    none is named), each with errors of its own, and evaluates every chip on the test words: with
    the card's rounding alone, with the noise of its device, and with all its effects. Without
    `--data` the words are spoken by a synthesiser, and every output says so. `--pretrained` trains
    nothing that the checkout holds, and so takes neither `--hidden` nor `--quick`. Results of
    another run are not replaced without `--force`.
    """
    from aimc.cli import keywords

    keywords.bench(options)


@bench.command(cls=Many)
@taking(Text)
def lm(options: Text) -> None:
    """Character language model with a projected LSTM: bits per character, in floating point and on
    chips, and what it writes.

    As `aimc bench kws`. The embedded text is the King James Bible in lower case (extra `text`).
    `--pretrained` trains nothing that the checkout holds, and so takes neither `--size` nor
    `--epochs`.
    """
    from aimc.cli import language

    language.bench(options)


@app.command()
def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="What to reproduce.", show_default="list all")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of measured files, for those that need one.", show_default=False),
    ] = None,
    seed: Seed = 0,
    json: Json = False,
    out: Out = None,
) -> None:
    """Simulate a figure of the literature, and print what came out beside what is expected.

    Each table says whether its expected numbers are published or derived. `--out` gets it as JSON,
    with its figure.
    """
    from aimc.cli import show

    show.reproduced(name, data, seed, json, out)


def main() -> None:
    """Runs the command line and leaves with its exit status."""
    sys.exit(app())
