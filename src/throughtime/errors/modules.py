"""Mistakes in how a torch module is built or called.

Where `torch.nn` refuses the same, the kind of exception is the same, and the message
starts with its words.
"""

from throughtime.errors.base import ThroughtimeError


class BadSetting(ThroughtimeError, ValueError):
    """A module is built with a value that a setting cannot have."""

    message = "{argument} {expected}, got {given}: {advice}."


class BadSettingType(ThroughtimeError, TypeError):
    """A module is built with a setting of the wrong type."""

    message = "{argument} should be of type {expected}, got: {given}; {advice}."


class BudgetTooSmall(ThroughtimeError, ValueError):
    """A budget of memory that no number of stored states keeps to."""

    message = (
        "checkpoint={given!r} is too small for {steps} steps of {batch} sequences, "
        "expected at least '{least}': give more, or fewer steps or sequences."
    )


class UnsuitableInitialisation(ThroughtimeError, ValueError):
    """A vector shall start like a matrix."""

    message = (
        "{cell}: init={init!r} of parameter {name} needs a matrix, but its shape is "
        "{shape}: give a number, 'uniform' or 'zeros'."
    )


class UnevenLayers(ThroughtimeError, ValueError):
    """Layers that cannot be stacked."""

    message = (
        "Layer {layer} has {given}, expected {expected} as the layer below it gives: "
        "{advice}."
    )


class UnknownBackend(ThroughtimeError, ValueError):
    """A name that is no backend."""

    message = "backend={given!r} is no backend{hint}, expected one of {known}."


class BackendCannotServe(ThroughtimeError, RuntimeError):
    """A backend that was asked for by name cannot run this."""

    message = (
        "backend={backend!r} cannot run {cell} in {dtype} on {device}, because "
        "{reason}: give backend='auto', or change what stands in the way."
    )


class NotASequence(ThroughtimeError, ValueError):
    """A tensor without the axes of a sequence."""

    message = (
        "{module}: Expected {argument} to be {expected}, got {given} instead: its axes "
        "are {axes}."
    )


class NotATensor(ThroughtimeError, TypeError):
    """Something else where a tensor belongs."""

    message = (
        "{argument} is of type {given}, expected {expected}: torch.as_tensor makes one "
        "of numbers."
    )


class InputSizeMismatch(ThroughtimeError, RuntimeError):
    """Another number of features than the module was built for."""

    message = (
        "{argument}.size(-1) must be equal to {setting}. Expected {expected}, got "
        "{given}: give that many features, or build the module with {given}."
    )


class InputShapeMismatch(ThroughtimeError, ValueError):
    """A further input that does not run beside the first."""

    message = (
        "{argument} is of shape {given}, expected {expected} to run beside the input: "
        "give one value per step and sequence."
    )


class EmptySequence(ThroughtimeError, RuntimeError):
    """Sequences without a step, where torch's own class refuses them."""

    message = (
        "Expected sequence length to be larger than 0 in RNN, as in torch.nn.{module}: "
        "give at least one step, or build Recurrent, which allows none."
    )


class MissingInput(ThroughtimeError, TypeError):
    """A cell's further input was not given."""

    message = "{cell} reads the input {name!r} at every step: call it with {name}=…."


class UnknownInput(ThroughtimeError, TypeError):
    """An argument that the cell has no input for."""

    message = "{cell} has no input {name!r}{hint}; it reads {known}: leave it out."


class UnknownArgument(ThroughtimeError, TypeError):
    """A keyword that a module of `torch.nn` does not take either."""

    message = (
        "{module} takes no argument {given!r}, expected {expected} as in "
        "torch.nn.{module}: {advice}."
    )


class DtypeMismatch(ThroughtimeError, ValueError):
    """Numbers of another type than the parameters."""

    message = (
        "RNN {argument} dtype ({given}) does not match weight dtype ({expected}): "
        "convert it with {argument}.to({expected}){alternative}."
    )


class DeviceMismatch(ThroughtimeError, RuntimeError):
    """A tensor on another device than the parameters."""

    message = (
        "{argument} is on {given}, but the parameters are on {expected}: move one of "
        "them, with {argument}.to({expected!r}) or model.to({given!r})."
    )


class StateShapeMismatch(ThroughtimeError, RuntimeError):
    """A state of another shape than the network carries."""

    message = (
        "Expected {argument} size {expected}, got {given}: its axes are (layers · "
        "directions, batch, units), without batch for one sequence alone."
    )


class StateDimensions(ThroughtimeError, RuntimeError):
    """A state for a batch with one sequence alone, or the other way round."""

    message = (
        "For {form} input, {argument} should also be {expected}-D but got {given}-D "
        "tensor: its axes are {axes}."
    )


class StateCountMismatch(ThroughtimeError, ValueError):
    """Another number of states than the cell has."""

    message = (
        "{given} given as state, expected {expected} ({names}) for {cell}: give what "
        "a call returned, or None to start anew."
    )


class BadLengths(ThroughtimeError, ValueError):
    """Lengths that do not describe the batch."""

    message = (
        "lengths is {given}, expected {batch} whole numbers from 0 to {steps}, one per "
        "sequence: give the number of steps that each sequence has."
    )


class BadResets(ThroughtimeError, ValueError):
    """Resets that do not mark steps of the batch."""

    message = (
        "resets is {given}, expected a tensor of booleans of shape {expected}, the "
        "input's without its features: mark the steps at which a sequence begins anew."
    )


class ResetsOfPacked(ThroughtimeError, ValueError):
    """Resets beside a batch whose rows torch has packed."""

    message = (
        "resets was given with a PackedSequence, expected a padded tensor: unpack it "
        "with torch.nn.utils.rnn.pad_packed_sequence and give lengths as well."
    )


class LengthsOfPacked(ThroughtimeError, ValueError):
    """Lengths beside a batch that knows its own."""

    message = (
        "lengths was given with a PackedSequence, which has its own: give the one or "
        "the other."
    )


class StreamMismatch(ThroughtimeError, ValueError):
    """A step of a stream, or a state, that does not fit it."""

    message = (
        "The {what} of a stream: given {given}, expected {expected}: give one step as "
        "the module and the stream's batch say."
    )


class StreamElsewhere(ThroughtimeError, RuntimeError):
    """A stream of a module whose weights NumPy cannot see."""

    message = (
        "The weights of the module are {dtype} on {device}, expected numbers that "
        "NumPy knows on cpu for a stream: call module.step(), or convert the module by "
        "module.float().cpu()."
    )


class TwoDirections(ThroughtimeError, RuntimeError):
    """A single step of a network that also reads from the end."""

    message = (
        "{call}() was called on a bidirectional module, whose reverse direction starts "
        "at a sequence's end: call the module on whole sequences, or build it with "
        "bidirectional=False."
    )


class LayerMismatch(ThroughtimeError, ValueError):
    """A tensor that does not fit the step graph which a compiled layer runs."""

    message = (
        "{argument} of {cell} is {given}, expected {expected}: compiled code reads "
        "memory as it was compiled for, so convert or reshape the tensor first."
    )


class CapturedWithoutGradient(ThroughtimeError, RuntimeError):
    """A captured program is asked for a gradient that it was captured without."""

    message = (
        "This program was captured without {missing}, which is now asked for: capture "
        "it again, with gradients enabled, from tensors that require them."
    )


class SpentGraph(ThroughtimeError, RuntimeError):
    """A backward pass follows one that broke off after it had overwritten its needs."""

    message = (
        "An earlier backward pass through this layer of {cell} was broken off, and "
        "what it needs is overwritten: run the forward pass again, or give "
        "retain_graph=True to a backward pass that shall be repeated."
    )


class CannotConvert(ThroughtimeError, ValueError):
    """A model without recurrent modules, or with one that has no equal here."""

    message = "{path} is {given}, which convert() cannot replace: {reason}."
