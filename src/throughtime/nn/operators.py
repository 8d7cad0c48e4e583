"""Compiled layers as torch operators: eager, differentiated, compiled, exported.

Eager code goes through flat `torch.autograd.Function`s, which `torch.func` can
transform; a graph captured by `torch.compile` or `torch.export` holds the registered
operators ``throughtime::layer`` and ``throughtime::layer_backward``, and so does all
that watches operators from inside eager code (tracers, fake tensors, subclasses of
tensors). All of them end in `calls`.
"""

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch._C._functorch import unwrap_if_dead
from torch.autograd import forward_ad

from throughtime.errors import CapturedWithoutGradient, NotBuiltYet, SpentGraph
from throughtime.nn.calls import backward, forward
from throughtime.nn.door import saved_shape
from throughtime.nn.engine import engine

LIBRARY = torch.library.Library("throughtime", "DEF")
LIBRARY.define(
    "layer(str graph, bool training, str wanted, Tensor[] inputs, Tensor[] initial, "
    "Tensor[] parameters, Tensor? counts, SymInt steps, SymInt batch, bool reverse, "
    "SymInt segment, bool bfloat16) "
    "-> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
LIBRARY.define(
    "layer_backward(str graph, str wanted, Tensor[] inputs, Tensor[] initial, "
    "Tensor[] parameters, Tensor? counts, SymInt steps, SymInt batch, bool reverse, "
    "SymInt segment, bool bfloat16, Tensor output, Tensor saved, "
    "Tensor output_gradient, Tensor?[] final_gradients) -> Tensor[]",
    tags=(torch.Tag.pt2_compliant_tag,),
)
PLAIN = {Tensor, torch.nn.Parameter, type(None)}
SLOW_WAY = "Build the module with backend='reference', which is slower and has it."
Where = tuple[Tensor | None, int, int, bool, int, bool]
"""Counts, steps, batch, reverse, segment, bfloat16, as in `execution.run_layer`."""


def run(
    graph: str,
    training: bool,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    where: Where,
) -> tuple[Tensor, Sequence[Tensor]]:
    """Output ``(N, H)`` and final states ``(B, n)`` of a compiled layer.

    Parameters
    ----------
    graph
        The step graph as JSON.
    training
        Whether a backward pass may follow.
    wanted
        The inputs whose gradient it has to give, with spaces between.
    inputs, initial, parameters
        Rows ``(N, n)`` or ``(T, B, n)``, which the output is like; states ``(B, n)``,
        none for those of the declarations; parameters in the order of the graph, and
        behind them its key, ``(1,)`` int64, if the graph draws something.
    where
        As in `execution.run_layer`.
    """
    result: Sequence[Tensor]
    sizes = len(inputs), len(initial)
    if torch.compiler.is_compiling():
        result = torch.ops.throughtime.layer(
            graph, training, wanted, inputs, initial, parameters, *where
        )
    else:
        settings = graph, training, wanted, sizes, where
        tensors = *inputs, *initial, *parameters
        result = _call(_Layer, training, settings, tensors)
    return result[0], result[1:-1]


def _call(
    function: type[torch.autograd.Function],
    differentiable: bool,
    settings: tuple[Any, ...],
    tensors: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """What ``function.apply(*settings, *tensors)`` gives, sooner.

    `apply` binds defaults by the function's signature, which takes longer than a
    small layer; where nobody differentiates, ``forward`` alone does.
    """
    if torch._C._are_functorch_transforms_active():
        return function.apply(*settings, *tensors)
    # Tensors may outlive the transform of `torch.func` that wrapped them.
    own = [value if value is None else unwrap_if_dead(value) for value in tensors]
    arguments = *settings, *own
    if differentiable or forward_ad._current_level >= 0:
        return super(torch.autograd.Function, function).apply(*arguments)  # type: ignore[missing-attribute]
    return function.forward(*arguments)


def _watched(tensors: Sequence[Tensor | None]) -> bool:
    """Whether something has to see an operator, not only its results."""
    modes: int = torch._C._len_torch_dispatch_stack()
    return modes > 0 or not PLAIN.issuperset(map(type, tensors))


def _fake_forward(
    graph: str,
    training: bool,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    counts: Tensor | None,
    steps: int,
    batch: int,
    reverse: bool,
    segment: int,
    bfloat16: bool,
) -> list[Tensor]:
    made = engine(graph, training, wanted, inputs[0].dtype, bfloat16)
    x, states = inputs[0], made.graph.states
    rows = prod(x.shape[:-1])
    saved = saved_shape(made.graph, made.saved_width, rows, steps, batch, segment)
    return [
        x.new_empty((*x.shape[:-1], made.graph.output_size)),
        *(x.new_empty((batch, state.size)) for state in states),
        x.new_empty(saved),
    ]


def _fake_backward(
    graph: str,
    wanted: str,
    inputs: Sequence[Tensor],
    initial: Sequence[Tensor],
    parameters: Sequence[Tensor],
    *_: Any,
) -> list[Tensor]:
    made = engine(graph, True, wanted, inputs[0].dtype)
    named = zip(made.input_sizes, inputs, strict=True)
    differentiated = [value for name, value in named if name in made.wanted]
    every = (*differentiated, *initial, *parameters[: len(made.graph.parameters)])
    return [value.new_empty(value.shape) for value in every]


class _Layer(torch.autograd.Function):
    """Forward of a layer, on tensors laid out flat."""

    @staticmethod
    def forward(  # type: ignore[bad-override]
        graph: str,
        training: bool,
        wanted: str,
        sizes: tuple[int, int],
        where: Where,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        function = torch.ops.throughtime.layer if _watched(tensors) else forward
        divided = _divide(tensors, sizes)
        return tuple(function(graph, training, wanted, *divided, *where))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        graph, _, wanted, sizes, where, *tensors = inputs
        ctx.mark_non_differentiable(output[-1])
        # Else autograd fills zeros for the saved rows, the largest tensor there is.
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, output[0], output[-1])
        ctx.settings = graph, wanted, sizes, where
        # Who keeps what is saved elsewhere may give it more than once.
        ctx.kept = torch._C._autograd._top_saved_tensors_default_hooks(False) is None
        ctx.spent = False

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        graph, wanted, _, where = ctx.settings
        tensors = ctx.saved_tensors
        made = engine(graph, True, wanted, tensors[0].dtype, where[-1])
        if ctx.spent:
            raise SpentGraph(cell=made.graph.cell)
        given = _filled(gradients[0], tensors[-2]), *gradients[1:-1]
        again = torch.is_grad_enabled()
        # Transforms come back to the same rows, one element after the other.
        active = torch._C._are_functorch_transforms_active()
        once = ctx.kept and not (again or active or _keeps_graph())
        ctx.spent = once
        settings = *ctx.settings, once
        found = _call(_LayerBackward, again, settings, (*tensors, *given))
        spread = _spread(made.input_sizes, wanted, found, len(tensors) - 2)
        return None, None, None, None, None, *spread

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        return _one_by_one(_Layer.apply, info.batch_size, in_dims, arguments)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> NoReturn:
        raise NotBuiltYet(
            what="Forward-mode differentiation of a compiled layer", advice=SLOW_WAY
        )


class _LayerBackward(torch.autograd.Function):
    """Backward of a layer; its own derivative is refused."""

    @staticmethod
    def forward(  # type: ignore[bad-override]
        graph: str,
        wanted: str,
        sizes: tuple[int, int],
        where: Where,
        once: bool,
        *tensors: Any,
    ) -> tuple[Tensor, ...]:
        made = engine(graph, True, wanted, tensors[0].dtype, where[-1])
        final = len(tensors) - len(made.graph.states)
        *own, output, saved, output_gradient = tensors[:final]
        given = output, saved, output_gradient, tensors[final:]
        arguments = *(graph, wanted, *_divide(own, sizes)), *where, *given
        if _watched(tensors):
            return tuple(torch.ops.throughtime.layer_backward(*arguments))
        return tuple(backward(*arguments, overwrite=once))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept: there is no derivative of this derivative."""

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> NoReturn:
        _refuse_second_derivative(ctx, *gradients)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        return _one_by_one(_LayerBackward.apply, info.batch_size, in_dims, arguments)

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> NoReturn:
        _refuse_second_derivative(ctx, *tangents)


def _keeps_graph() -> bool:
    """Whether another backward pass may follow the one that runs."""
    kept: bool = torch._C._autograd._get_current_graph_task_keep_graph()
    return kept


def _refuse_second_derivative(ctx: Any, *gradients: Any) -> NoReturn:
    raise NotBuiltYet(what="A second derivative of a compiled layer", advice=SLOW_WAY)


def _one_by_one(
    function: Callable[..., tuple[Tensor, ...]],
    size: int,
    in_dims: tuple[Any, ...],
    arguments: tuple[Any, ...],
) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    """What `torch.func.vmap` runs: a call per element, the results stacked."""
    results = [
        function(
            *(
                value.select(dim, number) if isinstance(dim, int) else value
                for value, dim in zip(arguments, in_dims, strict=True)
            )
        )
        for number in range(size)
    ]
    stacked = tuple(torch.stack(column) for column in zip(*results, strict=True))
    return stacked, (0,) * len(stacked)


def _divide(
    tensors: Sequence[Tensor], sizes: tuple[int, int]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Inputs, initial states, parameters of a flat row of tensors."""
    first, second = sizes[0], sum(sizes)
    return list(tensors[:first]), list(tensors[first:second]), list(tensors[second:])


def _filled(gradient: Tensor | None, result: Tensor) -> Tensor:
    """The gradient of a result; 0 if nothing depends on it."""
    return torch.zeros_like(result) if gradient is None else gradient


def _spread(
    names: Iterable[str], wanted: str, gradients: Sequence[Tensor], count: int
) -> list[Tensor | None]:
    """Gradients in the places of so many tensors; None for inputs that nobody wants.

    A key, which stands last, has none.
    """
    some = wanted.split()
    found = iter(gradients[: len(some)])
    places = [next(found) if name in some else None for name in names]
    spread = [*places, *gradients[len(some) :]]
    return [*spread, *[None] * (count - len(spread))]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Sequence[Tensor]) -> None:
    graph, training, wanted, tensors, initial, parameters, *where = inputs
    ctx.mark_non_differentiable(output[-1])
    ctx.save_for_backward(*tensors, *initial, *parameters, output[0], output[-1])
    ctx.settings = graph, training, wanted, (len(tensors), len(initial)), where


def _differentiate(ctx: Any, gradients: Sequence[Tensor | None]) -> tuple[Any, ...]:
    graph, training, wanted, sizes, where = ctx.settings
    *own, output, saved = ctx.saved_tensors
    if not training:
        raise CapturedWithoutGradient(missing="a backward pass")
    names = engine(graph, True, wanted, output.dtype, where[-1]).input_sizes
    for name, needed in zip(names, ctx.needs_input_grad[3], strict=True):
        if needed and name not in wanted.split():
            raise CapturedWithoutGradient(missing=f"the gradient of the input {name}")
    inputs, initial, parameters = _divide(own, sizes)
    rest = output, saved, _filled(gradients[0], output), gradients[1:-1]
    found = torch.ops.throughtime.layer_backward(
        graph, wanted, inputs, initial, parameters, *where, *rest
    )
    spread = _spread(names, wanted, found, len(own))
    first, second = sizes[0], sum(sizes)
    groups = spread[:first], spread[first:second], spread[second:]
    return None, None, None, *groups, *(None for _ in where)


LIBRARY.impl("layer", forward, "CPU")
LIBRARY.impl("layer_backward", backward, "CPU")
torch.library.register_fake("throughtime::layer", _fake_forward, lib=LIBRARY)
torch.library.register_fake("throughtime::layer_backward", _fake_backward, lib=LIBRARY)
torch.library.register_autograd(
    "throughtime::layer", _differentiate, setup_context=_keep, lib=LIBRARY
)
torch.library.register_autograd(
    "throughtime::layer_backward", _refuse_second_derivative, lib=LIBRARY
)
