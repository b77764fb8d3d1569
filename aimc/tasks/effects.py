"""Hardware with some of its imperfections only: where a chip's loss comes from.

What is left of hardware without any is its rounding: as many bits in and out, on ideal cells and
wires. Write errors are those of array and ramp cells alike.
"""

import dataclasses
from collections.abc import Collection

from aimc.errors import must
from aimc.macro import Hardware
from aimc.parts.device import StuckAt
from aimc.parts.wires import Wires

DEVICE = ("write errors", "stuck cells", "ageing", "read noise", "curved cells")
EFFECTS = (*DEVICE, "wires", "converter")
# What a converter's fields are where it has no imperfections; the others are its size.
_IDEAL = {"imperfections": (), "wires": None, "unit_mismatch": 0.0}


def only(hardware: Hardware, active: Collection[str]) -> Hardware:
    """`hardware` with the `active` effects, of `EFFECTS`, and no others. Its bits stay."""
    for name in active:
        if name not in EFFECTS:
            raise must("active", f"name {', '.join(EFFECTS)}", f"names {name!r}")
    device, adc = hardware.device, hardware.adc
    device = dataclasses.replace(
        device,
        on_write=tuple(
            effect
            for effect in device.on_write
            if ("stuck cells" if isinstance(effect, StuckAt) else "write errors") in active
        ),
        on_age=device.on_age if "ageing" in active else (),
        on_read=device.on_read if "read noise" in active else (),
        iv=device.iv if "curved cells" in active else None,
    )
    if "converter" not in active:
        fields = {field.name for field in dataclasses.fields(adc)}
        adc = dataclasses.replace(adc, **{k: v for k, v in _IDEAL.items() if k in fields})
    wires = hardware.wires if "wires" in active else Wires()
    return dataclasses.replace(hardware, device=device, adc=adc, wires=wires)


def effects(hardware: Hardware) -> list[str]:
    """The effects that `hardware` has; ageing only where it is read later than it was written."""
    return [name for name in EFFECTS if only(hardware, [name]) != only(hardware, [])
            and (name != "ageing" or hardware.age)]  # fmt: skip


def one_at_a_time(hardware: Hardware) -> dict[str, Hardware]:
    """`hardware` with nothing but its rounding, with one effect added, and with one taken away."""
    present = effects(hardware)
    found = {"rounding": only(hardware, [])}
    found |= {f"+ {name}": only(hardware, [name]) for name in present}
    found |= {f"all - {name}": only(hardware, set(present) - {name}) for name in present}
    return found | {"all": hardware}


def levels(hardware: Hardware) -> dict[str, Hardware]:
    """From rounding alone over the device's effects to all, without those that add nothing."""
    found = {
        "quantised only": only(hardware, []),
        "device noise": only(hardware, DEVICE),
        "all effects": hardware,
    }
    seen = list(found.values())
    return {name: each for k, (name, each) in enumerate(found.items()) if each not in seen[:k]}
