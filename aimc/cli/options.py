"""The options that benchmarks of networks have, and how a command takes them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aimc.errors import ArgumentError, as_number, must

if TYPE_CHECKING:
    from aimc.macro import Hardware

    Chosen = dict[tuple[str, int], Hardware]

CARD = "taox-1t1r-128"
Seed = Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same chips.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@dataclass(frozen=True)
class Options:
    """The options of every benchmark."""

    card: Annotated[
        list[str] | None,
        typer.Option(help="Cards or paths; several to compare.", show_default=CARD),
    ] = None
    bits: Annotated[
        list[int] | None,
        typer.Option(
            min=1, max=16, help="Input and output bits: 3 4 5.", show_default="the card's"
        ),
    ] = None
    chips: Annotated[int, typer.Option(min=1, help="Chips to program of each kind.")] = 10
    data: Path | None = None
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Evaluate the trained model of the checkout.")
    ] = False
    quick: bool = False
    hardware_aware: Annotated[
        bool, typer.Option("--hardware-aware", help="Also train for each card and number of bits.")
    ] = False
    hours: Annotated[
        list[float] | None,
        typer.Option(min=0, help="Ages of the chips: 0 1 24 720.", show_default="the card's age"),
    ] = None
    origins: Annotated[
        bool, typer.Option("--origins", help="Also one effect on, and one off, at a time.")
    ] = False
    digital_readout: Annotated[
        bool, typer.Option("--digital-readout", help="Keep the last layer off the arrays.")
    ] = False
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Folder in which trainings keep their state, to go on where they stood."),
    ] = None
    seed: Seed = 0
    json: Json = False
    out: Annotated[Path, typer.Option(help="Folder for models, figures and JSON.")] = Path(
        "results"
    )
    force: Annotated[bool, typer.Option("--force", help="Replace files of another run.")] = False

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

    def hardware(self) -> Chosen:
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


@dataclass(frozen=True)
class Speech(Options):
    """Those of `aimc bench kws`."""

    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder in the layout of Google Speech Commands.",
            show_default="synthesised speech",
        ),
    ] = None
    quick: Annotated[
        bool, typer.Option("--quick", help="Train for a few minutes only; less accurate.")
    ] = False
    hidden: Annotated[
        int | None, typer.Option(min=1, help="State size of the LSTM.", show_default="32")
    ] = None


@dataclass(frozen=True)
class Text(Options):
    """Those of `aimc bench lm`."""

    data: Annotated[
        Path | None,
        typer.Option(
            help="A Penn Treebank folder, or any text file.", show_default="King James Bible"
        ),
    ] = None
    quick: Annotated[
        bool, typer.Option("--quick", help="Less training, and the first part of the test text.")
    ] = False
    size: Annotated[
        str | None, typer.Option(help="small, or full: 633 x 8064 weights.", show_default="small")
    ] = None
    epochs: Annotated[
        int | None, typer.Option(min=0, help="0: untrained.", show_default="the recipe's")
    ] = None
    characters: Annotated[
        int | None,
        typer.Option(min=2, help="Of each split to evaluate.", show_default="all; quick: 10000"),
    ] = None


def taking(kind: type[Options]) -> Callable[[Callable[[Any], None]], Callable[..., None]]:
    """Makes a function of one object of that kind a command whose options are its fields."""

    def decorate(function: Callable[[Any], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**given: Any) -> None:
            function(kind(**given))

        vars(command)["__signature__"] = inspect.signature(kind, eval_str=True)
        return command

    return decorate
