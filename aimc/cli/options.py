"""Each command as a frozen class: its fields are its options, its docstring is its help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform, get_type_hints

import typer

from aimc.errors import ArgumentError, as_number, must

if TYPE_CHECKING:
    from aimc.macro import Hardware

T = TypeVar("T")
CARD = "taox-1t1r-128"
CURVE = "What the converter applies: linear, sigmoid, softplus ..."


def option(
    default: Any, meaning: str, *names: str, shown: str | bool = True, **limits: float
) -> Any:
    """A field that is an option of its name, or of `names`, one of type bool a flag.

    shown: what the help says of the default; limits: min, max.
    """
    how = {"help": meaning, "show_default": shown, **limits}
    return field(default=default, metadata={"names": names, "how": how})


def argument(default: Any, meaning: str, shown: str | bool = True) -> Any:
    """A field that is an argument; a default of MISSING: it must be given."""
    return field(default=default, metadata={"how": {"help": meaning, "show_default": shown}})


@dataclass_transform(frozen_default=True, kw_only_default=True)
def command(cls: type[T]) -> type[T]:
    """A class whose fields are the options of a command, and whose docstring is its help."""
    return dataclass(frozen=True, kw_only=True)(cls)


@command
class Printed:
    """The option of every command."""

    json: bool = option(False, "Print JSON instead of tables.")


@command
class Drawn(Printed):
    """Those of commands that draw random numbers."""

    seed: int = option(0, "Seed: the same one gives the same chips.", min=0)


@command
class Written(Printed):
    """Those of commands that write files besides."""

    out: Path | None = option(None, "Folder for figures and JSON.")


@command
class OnCard(Printed):
    """Those of commands on one card."""

    card: str = argument(MISSING, "A card (see `aimc cards`), or a path (.toml).")


@command
class OnBits(OnCard):
    """Those of commands that may change its bits."""

    bits: int | None = option(
        None, "Input and output bits.", shown="as the card says", min=1, max=16
    )


@command
class Cards(Printed):
    """List the hardware that can be simulated, or show one card: every number with its source.

    A number marked "unverified" is an assumption, or is quoted without its source having been read.
    """

    name: str | None = argument(None, "A card, or the path of your own (.toml).", "list all")


@command
class Simulate(OnBits, Drawn, Written):
    """Program one array with random weights, read it, and compare with the exact product.

    Weights are normal and inputs uniform in [-1, 1], scaled so that a pre-activation has a standard
    deviation of one; with `--curve linear` of 0.25, so that the range of the converter, +-1, holds
    four of them. Errors are in LSB, the step between two output codes; more rows or columns than
    one array has are spread over several. Where rows are split, INL and DNL are those of the
    linear converters of the partial sums.
    """

    rows: int | None = option(None, "Inputs.", shown="the array's", min=1)
    cols: int | None = option(None, "Outputs.", shown="the array's", min=1)
    curve: str = option("tanh", CURVE)
    batch: int = option(1000, "Random input vectors.", min=1)


@command
class Ramp(OnBits, Drawn, Written):
    """Design the ramp of a curve, and how far from it chips are before and after calibration.

    Prints whether the curve's steps can be made of the card's cells, and what can where they
    cannot: exit status 2. INL and DNL are referred to the output, against the ideal curve.
    """

    curve: str = option("tanh", "What the ramp applies: sigmoid, tanh, ...")
    calibration: str | None = option(
        None, "none, one-point, multi-point or closed-loop.", shown="each of them"
    )
    chips: int = option(1000, "Chips to program with each.", min=1)


@command
class Circuit(OnCard, Drawn):
    """The array of a netlist."""

    rows: int = option(8, "Inputs of the array.", min=1)
    cols: int = option(4, "Outputs of the array.", min=1)
    curve: str = option("sigmoid", CURVE)
    gain: float | None = option(None, "Gain of the integrators' amplifiers.", shown="ideal")


@command
class Netlist(Circuit):
    """Write a programmed array, from row drivers to comparators, as a SPICE netlist.

    Weights and inputs are random, as those of `aimc simulate`, and the same for a seed.
    """

    output: Path = option(
        MISSING, "The deck; its models go into a folder beside.", "--output", "-o"
    )
    batch: int = option(1, "Conversions, one after the other.", min=1)
    dialect: str = option(
        "ngspice", "ngspice, ltspice, xyce, hspice or spectre; only ngspice is tested."
    )
    analysis: str = option("tran", "tran: whole conversions; op: the array's operating points.")


@command
class Check(Circuit, Written):
    """Simulate a programmed array with ngspice too, and compare: exit status 1 where they differ.

    Compared are every node's voltage and every column's current at the operating point, then
    currents, sampled voltages, ramp levels and codes of whole conversions.
    """

    batch: int = option(4, "Random input vectors.", min=1)


@command
class Cost(OnBits, Written):
    """Energy, area and latency of a network layer, component by component, with the schedule.

    Nothing is programmed: the layer is described with the card's own converters, and compared with
    the same one behind others: ramps and flash, which apply the functions themselves, linear ramps,
    successive approximation and one-step, behind which look-ups do.
    """

    model: str = option("lstm", "lstm, gru, rnn or linear.")
    inputs: int = option(40, "Features of the input.", min=1)
    hidden: int = option(32, "Features of the state, or outputs.", min=1)
    projection: int = option(0, "Of an LSTM's output; 0: none.", min=0)
    steps: int = option(1, "Steps of a sequence.", min=1)
    tall: bool = option(False, "Arrays with as many rows as the matrix.")
    cell_tanh: str = option(
        "digital", "tanh of an LSTM's cell state: digital, as in `aimc bench`, or ramp."
    )
    activity: float = option(0.5, "Mean share of a full activation's energy.", min=0, max=1)
    processors: int | None = option(
        None, "Look-up and element-wise units.", shown="as the card says", min=1
    )
    costs: str = option("puma-ramp", "A cost card, or a path (.toml).")


@command
class Reproduce(Drawn, Written):
    """Simulate a figure of the literature, and print what came out beside what is expected.

    Each table says whether its expected numbers are published or derived. `--out` gets it as JSON,
    with its figure.
    """

    name: str | None = argument(None, "What to reproduce.", "list all")
    data: Path | None = option(
        None, "Folder of measured files, for those that need one.", shown=False
    )


@command
class Options(Drawn):
    """The options of every benchmark."""

    data: Path | None = None
    quick: bool = False
    card: list[str] | None = option(None, "Cards or paths; several to compare.", shown=CARD)
    bits: list[int] | None = option(
        None, "Input and output bits: 3 4 5.", shown="the card's", min=1, max=16
    )
    chips: int = option(10, "Chips to program of each kind.", min=1)
    pretrained: bool = option(False, "Evaluate the trained model of the checkout.")
    hardware_aware: bool = option(False, "Also train for each card and number of bits.")
    hours: list[float] | None = option(
        None, "Ages of the chips: 0 1 24 720.", shown="the card's age", min=0
    )
    origins: bool = option(False, "Also one effect on, and one off, at a time.")
    digital_readout: bool = option(False, "Keep the last layer off the arrays.")
    checkpoint: Path | None = option(
        None, "Folder in which trainings keep their state, to go on where they stood."
    )
    out: Path = option(Path("results"), "Folder for models, figures and JSON.")
    force: bool = option(False, "Replace files of another run.")

    @property
    def cards(self) -> list[str]:
        """The cards, each once."""
        return list(dict.fromkeys(self.card or [CARD]))

    @property
    def digital(self) -> tuple[str, ...]:
        """Modules that stay off the arrays."""
        return ("readout",) if self.digital_readout else ()

    @property
    def settings(self) -> dict[str, Any]:
        """As the record has them: all that numbers follow from, data apart."""
        return {
            "cards": self.cards, "bits": self.bits or [], "chips": self.chips, "seed": self.seed,
            "quick": self.quick, "pretrained": self.pretrained,
            "hardware_aware": self.hardware_aware, "hours": self.hours or [],
            "origins": self.origins, "digital": list(self.digital),
        }  # fmt: skip

    def name(self, model: str) -> str:
        """Of the run's files, for the name of its float model's file."""
        names = [Path(card).stem for card in self.cards]
        words = [
            model,
            "pretrained" if self.pretrained else "",
            *(names if names != [CARD] else []),
            f"{'-'.join(map(str, self.bits))}bit" if self.bits else "",
            "aware" if self.hardware_aware else "",
            "hours" if self.hours else "",
            "origins" if self.origins else "",
            "digital" if self.digital else "",
        ]
        return "-".join(word for word in words if word)

    def hardware(self) -> dict[tuple[str, int], Hardware]:
        """Each card with each number of bits, in and out; its own where none is given.

        Raises ArgumentError where an age is no time, or two cards' files would have one name.
        """
        from aimc import cards

        for hour in self.hours or []:
            as_number("--hours", 3600 * hour, minimum=0)
        if len({Path(card).stem for card in self.cards}) < len(self.cards):
            raise must("--card", "name cards of different names", f"names {', '.join(self.cards)}")
        loaded = {name: cards.load(name) for name in self.cards}
        return {
            (name, b): each.replace(bits=b) if self.bits else each
            for name, each in loaded.items()
            for b in dict.fromkeys(self.bits or [each.adc.bits])
        }

    def alone(self, **others: Any) -> None:
        """ArgumentError where `--pretrained` comes with an option that it leaves no effect."""
        given = [name for name, value in others.items() if value is not None and value is not False]
        if self.pretrained and given:
            raise ArgumentError(
                "`--pretrained` evaluates a trained model as it is, so "
                f"`--{given[0].replace('_', '-')}` has no effect. Leave one of the two out."
            )

    def run_file(self, model: str) -> Path | None:
        """Where the training of a model keeps its state, if anywhere."""
        from aimc.nn import checkpoint

        if self.checkpoint is None:
            return None
        return checkpoint.writable(self.checkpoint / f"{model}.run.safetensors", "--checkpoint")


@command
class Speech(Options):
    """Keyword spotting (12 classes) with an LSTM: its accuracy in floating point and on chips.

    Trains the network, programs it into `--chips` simulated chips of each card (taox-1t1r-128 if
    none is named), each with errors of its own, and evaluates every chip on the test words: with
    the card's rounding alone, with the noise of its device, and with all its effects. Without
    `--data` the words are spoken by a synthesiser, and every output says so. `--pretrained` trains
    nothing that the checkout holds, and so takes neither `--hidden` nor `--quick`. Results of
    another run are not replaced without `--force`.
    """

    data: Path | None = option(
        None, "Folder in the layout of Google Speech Commands.", shown="synthesised speech"
    )
    quick: bool = option(False, "Train for a few minutes only; less accurate.")
    hidden: int | None = option(None, "State size of the LSTM.", shown="32", min=1)


@command
class Text(Options):
    """Character language model with a projected LSTM: bits per character, in floating point and on
    chips, and what it writes.

    As `aimc bench kws`. The embedded text is the King James Bible in lower case (extra `text`).
    `--pretrained` trains nothing that the checkout holds, and so takes neither `--size` nor
    `--epochs`.
    """

    data: Path | None = option(
        None, "A Penn Treebank folder, or any text file.", shown="King James Bible"
    )
    quick: bool = option(False, "Less training, and the first part of the test text.")
    size: str | None = option(None, "small, or full: 633 x 8064 weights.", shown="small")
    epochs: int | None = option(None, "0: untrained.", shown="the recipe's", min=0)
    characters: int | None = option(
        None, "Of each split to evaluate.", shown="all; quick: 10000", min=2
    )


def calling(kind: type[Printed], path: str) -> Callable[..., None]:
    """The command that `kind` describes: its fields are the options, its docstring is the help.

    path: of the function of this package that does it, "module.name"; imported when it is called.
    """
    module, name = path.split(".")

    def run(**given: Any) -> None:
        getattr(import_module(f"aimc.cli.{module}"), name)(kind(**given))

    hints, described = get_type_hints(kind), {f.name: f for f in fields(kind)}
    own_first = dict.fromkeys(
        n for cls in kind.__mro__ for n in vars(cls).get("__annotations__", ())
    )
    parameters = []
    for each in (described[n] for n in own_first):
        how, names = each.metadata["how"], each.metadata.get("names")
        flag = (f"--{each.name.replace('_', '-')}",) if hints[each.name] is bool else ()
        meant = typer.Argument(**how) if names is None else typer.Option(*(names or flag), **how)
        default = inspect.Parameter.empty if each.default is MISSING else each.default
        parameters.append(inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=default,
            annotation=Annotated[hints[each.name], meant],
        ))  # fmt: skip
    run.__doc__ = kind.__doc__
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run
