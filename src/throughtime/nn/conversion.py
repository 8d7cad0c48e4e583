"""`convert`: torch's recurrent modules become ours, inside any module, in place."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from throughtime.errors import CannotConvert
from throughtime.nn.choice import check_backend
from throughtime.nn.compatibility import GRU, LSTM, RNN
from throughtime.nn.compatible_cells import GRUCell, LSTMCell, RNNCell
from throughtime.nn.layers import Layers

# What every module has: parameters, hooks, mode. Shared, it outlives a replacement,
# and handles that remove a hook go on working.
SHARED = tuple(vars(nn.Module()))


def convert(model: nn.Module, *, backend: str = "auto") -> nn.Module:
    """Replace torch's recurrent modules in a model by those of this package.

    The model is changed in place. Parameters stay the same objects, so optimisers
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
    CannotConvert
        A recurrent module has ``proj_size > 0``, is of a class derived from torch's,
        or its parameters are not its own (weight norm, parametrisations).
    """
    check_backend(backend)
    made: dict[nn.Module, Layers] = {}
    for path, module in model.named_modules():
        if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            made[module] = _replacement(path or "the module", module, backend)
    for parent, name, child in list(_places(model)):
        if child in made:
            parent._modules[name] = made[child]
    return made.get(model, model)


def _places(model: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    for parent in model.modules():
        for name, child in parent._modules.items():
            if child is not None:
                yield parent, name, child


def _replacement(path: str, module: nn.Module, backend: str) -> Layers:
    build = BUILDERS.get(type(module))
    if build is None:
        raise CannotConvert(
            path=path,
            given=f"of class {type(module).__name__}",
            reason="only torch's own classes can be replaced, a derived one may "
            "compute something else",
        )
    if getattr(module, "proj_size", 0):
        raise CannotConvert(
            path=path,
            given=f"built with proj_size={module.proj_size}",
            reason="projections are not part of this version",
        )
    made = build(module, backend)
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


def _settings(module: Any, backend: str) -> dict[str, Any]:
    # On the device "meta" nothing is allocated and no random number drawn.
    return {"bias": module.bias, "backend": backend, "device": torch.device("meta")}


def _layer_settings(module: Any, backend: str) -> dict[str, Any]:
    return {
        **_settings(module, backend),
        "num_layers": module.num_layers,
        "batch_first": module.batch_first,
        "bidirectional": module.bidirectional,
    }


def _layers(kind: type[LSTM] | type[GRU]) -> Callable[[Any, str], Layers]:
    def build(module: Any, backend: str) -> Layers:
        settings = _layer_settings(module, backend)
        made = kind(module.input_size, module.hidden_size, **settings)
        made.dropout = module.dropout
        return made

    return build


def _rnn(module: Any, backend: str) -> Layers:
    settings = _layer_settings(module, backend)
    settings["nonlinearity"] = module.nonlinearity
    made = RNN(module.input_size, module.hidden_size, **settings)
    made.dropout = module.dropout
    return made


def _cell(kind: type[LSTMCell] | type[GRUCell]) -> Callable[[Any, str], Layers]:
    return lambda module, backend: kind(
        module.input_size, module.hidden_size, **_settings(module, backend)
    )


def _rnn_cell(module: Any, backend: str) -> Layers:
    settings = _settings(module, backend)
    settings["nonlinearity"] = module.nonlinearity
    return RNNCell(module.input_size, module.hidden_size, **settings)


BUILDERS: dict[type[nn.Module], Callable[[Any, str], Layers]] = {
    nn.RNN: _rnn,
    nn.LSTM: _layers(LSTM),
    nn.GRU: _layers(GRU),
    nn.RNNCell: _rnn_cell,
    nn.LSTMCell: _cell(LSTMCell),
    nn.GRUCell: _cell(GRUCell),
}
