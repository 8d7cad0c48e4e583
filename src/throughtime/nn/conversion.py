"""`convert`: torch's recurrent modules become ours, inside any module, in place."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from throughtime.errors import BadSettingType, CannotConvert
from throughtime.nn.choice import check_backend
from throughtime.nn.compatibility import GRU, LSTM, RNN
from throughtime.nn.compatible_cells import GRUCell, LSTMCell, RNNCell
from throughtime.nn.layers import Layers

TORCHS = (nn.RNNBase, nn.RNNCellBase)
RECURRENT = (*TORCHS, Layers)
# What every module has: parameters, hooks, mode. Shared, it outlives a replacement,
# and handles that remove a hook go on working.
SHARED = tuple(vars(nn.Module()))


def convert(model: nn.Module, *, backend: str = "auto") -> nn.Module:
    """Replace, in place, torch's recurrent modules in a model by ours.

    Parameters stay the same objects, so optimisers
    and ties go on working; a module used twice stays one; hooks and the mode of
    training are kept. A model that cannot be converted is left as it was.

    Parameters
    ----------
    model
        Any module; one that itself is recurrent is returned converted.
    backend
        As in `Recurrent`.

    Returns
    -------
    torch.nn.Module
        The model, or what replaces it.

    Raises
    ------
    BadSettingType
        ``model`` is no module.
    CannotConvert
        There is no recurrent module in the model, or one is of a class derived from
        torch's, or its parameters are not its own (weight norm, parametrisations).
    """
    check_backend(backend)
    _check_model(model)
    made: dict[nn.Module, Layers] = {}
    for path, module in model.named_modules():
        if isinstance(module, TORCHS):
            made[module] = _replacement(path or "the module", module, backend)
    for parent, name, child in list(_places(model)):
        if child in made:
            parent._modules[name] = made[child]
    return made.get(model, model)


def _check_model(model: object) -> None:
    """Refuse what has nothing to convert; what is converted already passes."""
    if not isinstance(model, nn.Module):
        raise BadSettingType(
            argument="model",
            expected="torch.nn.Module",
            given=f"class {model.__name__}"
            if isinstance(model, type)
            else type(model).__name__,
            advice="give a model with torch's recurrent modules in it",
        )
    if not any(isinstance(module, RECURRENT) for module in model.modules()):
        raise CannotConvert(
            path="the model",
            given=f"of class {type(model).__name__}",
            reason="it holds no RNN, LSTM or GRU of torch.nn",
        )


def _places(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for parent in model.modules():
        for name, child in parent._modules.items():
            if child is not None:
                yield parent, name, child


def _replacement(path: str, module: nn.Module, backend: str) -> Layers:
    kind = KINDS.get(type(module))
    if kind is None:
        raise CannotConvert(
            path=path,
            given=f"of class {type(module).__name__}",
            reason="only torch's own classes can be replaced, a derived one may "
            "compute something else",
        )
    made = _build(kind, module, backend)
    if list(made._parameters) != list(module._parameters):
        raise CannotConvert(
            path=path,
            given="reparametrised",
            reason="its parameters are "
            f"{', '.join(module._parameters)}: remove what computes its weights first",
        )
    for name in SHARED:
        vars(made)[name] = vars(module)[name]
    made.flatten_parameters()
    return made


def _build(kind: Callable[..., Layers], module: Any, backend: str) -> Layers:
    given = vars(module)
    made = kind(
        module.input_size,
        module.hidden_size,
        **{name: given[name] for name in SETTINGS if name in given},
        **{name: given[name] for name in LSTM_SETTINGS if given.get(name)},
        backend=backend,
        # There nothing is allocated and no random number drawn.
        device=torch.device("meta"),
    )
    # The constructor would warn where it changes nothing; torch's has done so.
    made.dropout = given.get("dropout", 0.0)
    return made


SETTINGS = ("num_layers", "bias", "batch_first", "bidirectional", "nonlinearity")
# Every class of torch has these, but only an LSTM may have them different from 0.
LSTM_SETTINGS = ("proj_size",)
KINDS: dict[type[nn.Module], Callable[..., Layers]] = {
    nn.RNN: RNN,
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNNCell: RNNCell,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
}
