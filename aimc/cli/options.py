"""The options that every benchmark of networks has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimc import cards
from aimc.errors import ArgumentError, as_number, must
from aimc.macro import Hardware
from aimc.nn import checkpoint as files

CARD = "taox-1t1r-128"

Chosen = dict[tuple[str, int], Hardware]


@dataclass(frozen=True)
class Options:
    """The options of every benchmark; see the help of `aimc bench kws`."""

    cards: list[str]
    bits: list[int]
    chips: int
    data: Path | None
    pretrained: bool
    quick: bool
    hardware_aware: bool
    hours: list[float]
    origins: bool
    digital_readout: bool
    checkpoint: Path | None
    seed: int
    json: bool
    out: Path
    force: bool

    @property
    def digital(self) -> tuple[str, ...]:
        """Modules that stay off the arrays."""
        return ("readout",) if self.digital_readout else ()

    @property
    def settings(self) -> dict[str, Any]:
        """As the record has them: all that numbers follow from, data apart."""
        return {
            "cards": list(dict.fromkeys(self.cards)), "bits": self.bits, "chips": self.chips,
            "seed": self.seed, "quick": self.quick, "pretrained": self.pretrained,
            "hardware_aware": self.hardware_aware, "hours": self.hours, "origins": self.origins,
            "digital": list(self.digital),
        }  # fmt: skip

    def name(self, model: str) -> str:
        """Of the run's files, for the name of its float model's file."""
        names = [Path(card).stem for card in dict.fromkeys(self.cards)]
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
        for hour in self.hours:
            as_number("--hours", 3600 * hour, minimum=0)
        names = [Path(card).stem for card in dict.fromkeys(self.cards)]
        if len(set(names)) < len(names):
            raise must("--card", "name cards of different names", f"names {', '.join(self.cards)}")
        loaded = {name: cards.load(name) for name in dict.fromkeys(self.cards)}
        return {
            (name, b): each.replace(bits=b) if self.bits else each
            for name, each in loaded.items()
            for b in dict.fromkeys(self.bits or [each.adc.bits])
        }

    def digests(self, chosen: Chosen) -> dict[str, str]:
        """Of the chosen hardware, as the record has them."""
        return {f"{card}, {bits} bits": cards.digest(each) for (card, bits), each in chosen.items()}

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
        if self.checkpoint is None:
            return None
        return files.writable(self.checkpoint / f"{model}.run.safetensors", "--checkpoint")
