"""From torch's layers to layers on arrays: which are replaced, which stay digital."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch.nn.modules.lazy import LazyModuleMixin

from aimc.errors import ArgumentError, must
from aimc.nn.layers.base import AnalogLayer, adopt
from aimc.nn.layers.linear import Linear
from aimc.nn.layers.rnn import GRU, LSTM, RNN

if TYPE_CHECKING:
    from collections.abc import Iterator

    Model = TypeVar("Model", bound=torch.nn.Module)

# torch computes these with kernels of its own that read the weights of the layers inside.
_WHOLE = (torch.nn.MultiheadAttention, torch.nn.TransformerEncoderLayer)
_CELLS = (torch.nn.RNNCellBase, torch.nn.RNNBase, torch.nn.Linear)
_REPLACED = (torch.nn.Linear, torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU)
# What torch calls around a layer, by the attributes that hold it.
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def layers(
    model: torch.nn.Module, digital: Collection[str] = ()
) -> Iterator[tuple[str, AnalogLayer]]:
    """The layers of this room in `model` by name, without those in `digital`."""
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer) and not _within(name, digital):
            yield name, module


def on_arrays(model: torch.nn.Module, digital: Collection[str] = ()) -> Iterator[torch.nn.Module]:
    """The modules of `model`, converted or not, whose parameters `program` writes into arrays."""
    whole = [*digital]
    for name, module in model.named_modules():
        if isinstance(module, _WHOLE):
            whole.append(name)
        elif isinstance(module, (AnalogLayer, *_REPLACED)) and not _within(name, whole):
            yield module


def check(model: object) -> None:
    """ArgumentError where `model` is no float model."""
    if not isinstance(model, torch.nn.Module):
        raise must("model", "be a torch.nn.Module", f"is {type(model).__name__}")
    for name, value in model.named_parameters():
        if value.is_meta:
            raise must("model", "hold values", f"{name} is on the device meta")


def named(model: torch.nn.Module, digital: Collection[str]) -> None:
    """ArgumentError where `digital` names what is no module of `model`."""
    if isinstance(digital, str) or not isinstance(digital, Collection):
        raise must("digital", "be a collection of names", f"is {digital!r}")
    names = dict(model.named_modules())
    for name in digital:
        if name not in names:
            raise must("digital", "name modules of the model", f"names {name!r}")


def copied(model: Model) -> Model:
    """A copy of `model`; ArgumentError where torch cannot make one."""
    try:
        return deepcopy(model)
    except RuntimeError as error:
        raise must(
            "model",
            "be one that can be copied",
            f"is not ({str(error).splitlines()[0]})",
            "Weights that are computed anew before every call, as by torch's pruning or the old "
            "weight_norm, must be made plain first: `prune.remove`, `remove_weight_norm`.",
        ) from error


def _within(name: str, parents: Collection[str]) -> bool:
    """Whether module `name` is one of `parents`, or inside one; "" is the whole model."""
    return any(name == each or not each or name.startswith(each + ".") for each in parents)


def converted(model: Any, digital: Collection[str], cell_tanh: str = "digital") -> Any:
    """`model` with torch's layers replaced by those of this room; changes `model`."""
    named(model, digital)
    fresh: dict[int, AnalogLayer] = {}
    whole: list[str] = list(digital)
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if _within(name, whole) or isinstance(module, AnalogLayer):
            continue
        if isinstance(module, _WHOLE):
            whole.append(name)
        elif isinstance(module, _CELLS):
            if id(module) not in fresh:
                fresh[id(module)] = _replacement(name, module, cell_tanh)
            if not name:
                return fresh[id(module)]
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, fresh[id(module)])
    return model


def _replacement(name: str, module: torch.nn.Module, cell_tanh: str) -> AnalogLayer:
    """The analog layer in place of `module`, with its very parameters."""
    label = name or type(module).__name__
    if isinstance(module, LazyModuleMixin):
        raise ArgumentError(
            f"`{label}` must know its sizes to go on an array, but is a {type(module).__name__} "
            f"that saw no input yet. Run the model once before programming."
        )
    if type(module) not in _REPLACED:
        raise ArgumentError(
            f"`{label}` must be torch's Linear, RNN, LSTM or GRU itself to go on an array, but is a"
            f" {type(module).__name__}, which may compute something else. Replace it, or name it in"
            f" `digital`."
        )
    if any(value.numel() == 0 for value in module.parameters()):
        raise must(label, "have inputs and outputs to go on an array", f"is {module}")
    _unwatched(label, module)
    # Without storage: parameters are adopted, and torch's generator stays where it is.
    with torch.device("meta"):
        if isinstance(module, torch.nn.Linear):
            has_bias = module.bias is not None
            return adopt(Linear(module.in_features, module.out_features, has_bias), module)
        assert isinstance(module, torch.nn.RNNBase)
        names = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
        options: dict[str, Any] = {name: getattr(module, name) for name in names}
        sizes = (module.input_size, module.hidden_size)
        if isinstance(module, torch.nn.RNN):
            if module.nonlinearity != "tanh":
                raise ArgumentError(
                    f"`{label}` must have the nonlinearity 'tanh', but has {module.nonlinearity!r}:"
                    f" a state without bound has no full scale. Name it in `digital` to keep it so."
                )
            return adopt(RNN(*sizes, **options), module)
        if isinstance(module, torch.nn.LSTM):
            options |= {"proj_size": module.proj_size, "cell_tanh": cell_tanh}
            return adopt(LSTM(*sizes, **options), module)
        return adopt(GRU(*sizes, **options), module)


def _unwatched(label: str, module: torch.nn.Module) -> None:
    """ArgumentError where torch calls something around `module`: it would be lost."""
    found = [kind.strip("_") for kind in _HOOKS if getattr(module, kind)]
    found += ["a forward of its own"] if "forward" in vars(module) else []
    if found:
        raise ArgumentError(
            f"`{label}` must have no hooks to go on an array, where they would be lost, but has "
            f"{', '.join(found)}. Remove them, or name the layer in `digital`; a programmed "
            "model calls the hooks that it is given."
        )
