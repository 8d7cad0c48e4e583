"""The loop over time of one program, for the rows of one thread."""

from collections.abc import Sequence
from itertools import groupby

from llvmlite import ir

from throughtime.backends.llvm.arguments import (
    BATCH,
    FLAGS,
    GIVE_UP,
    LOADS,
    PANELS,
    ROWS,
    SCRATCH,
    SHIFT,
    STEPS,
    TABLE,
    Arguments,
)
from throughtime.backends.llvm.layout import (
    CHUNK,
    FEW,
    LISTS,
    Layout,
    Sweep,
    carried_sizes,
    has_products,
    row_stride,
)
from throughtime.backends.llvm.matrix_tiles import release
from throughtime.backends.llvm.options import Options
from throughtime.backends.llvm.parts import first_row
from throughtime.backends.llvm.random_numbers import Draws
from throughtime.backends.llvm.rows import KEY, SEQUENCES
from throughtime.backends.llvm.schedule import Schedule
from throughtime.backends.llvm.sweep import SweepWriter
from throughtime.backends.llvm.tiles import Tiles
from throughtime.backends.llvm.vector_math import VectorMath
from throughtime.backends.llvm.writer import INDEX, POINTER, VOID, Writer, index
from throughtime.graph.nodes import Node
from throughtime.graph.operations import Kind
from throughtime.graph.programs import OUTPUT, SUMS, Program
from throughtime.graph.random_values import draw_of, random_nodes

FROM_OUTPUT = f"previous {OUTPUT}"


class BodyWriter:
    """Writes ``body(arguments, thread, team)``: all steps for a share of the rows."""

    def __init__(
        self,
        module: ir.Module,
        name: str,
        program: Program,
        layout: Layout,
        arguments: Arguments,
        widths: dict[str, int],
        tiles: Tiles,
        math: VectorMath,
        options: Options,
    ) -> None:
        self.options = options
        kind = ir.FunctionType(VOID, [POINTER, INDEX, INDEX])
        self.function = ir.Function(module, kind, name)
        builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.writer = Writer(builder, tiles.element, tiles.lanes, tiles.item_bytes)
        self.program = program
        self.layout = layout
        self.schedule: Schedule = layout.schedule
        self.arguments = arguments
        self.widths = widths
        self.sizes = {
            **carried_sizes(program),
            "scratch": max(1, layout.scratch_width),
            LISTS: max(1, layout.scratch_width),
        }
        self.tiles = tiles
        self.math = math
        # From a row of this step to its row of the step that comes next.
        self.rows_ahead: ir.Value | None = None
        self.iteration: ir.Value | None = None

    def write(self) -> ir.Function:
        w, builder = self.writer, self.writer.builder
        table, thread, _ = self.function.args
        self.table = table
        self.addresses = {
            name: w.pointer(table, self.arguments.position(name))
            for name in self._names()
        }
        self.panels = w.pointer(table, PANELS)
        self._find_rows(table)
        self._prepare_draws(table)
        self.sums = self._reserve()
        # Rows of the processor's own tiles, if products use them.
        self.configured = builder.alloca(INDEX)
        builder.store(index(0), self.configured)
        self.own_scratch = w.pointer(table, SCRATCH)
        share = builder.mul(thread, index(CHUNK * self.sizes["scratch"]))
        self.lists = w.at(self.own_scratch, share)
        low, high = index(0), self.rows
        if self.layout.split_units:
            self._meet()
        else:
            low, high = self._own_rows()
            self.own_scratch = self.lists
        with w.loop(low, high, CHUNK) as chunk:
            end = w.minimum(builder.add(chunk, index(CHUNK)), high)
            if self.program.recurrent:
                with w.loop(index(0), self.steps) as iteration:
                    self._step(iteration, chunk, end)
            else:
                if self.draws is not None:
                    self.draws.begin(chunk, chunk)
                self._phases(self._row_addresses(chunk), builder.sub(end, chunk))
        if self.tiles.matrices:
            release(w)
        builder.ret_void()
        return self.function

    def _own_rows(self) -> tuple[ir.Value, ir.Value]:
        """Give this thread's rows: its part of all rows of all steps, or nearly so."""
        if not self.program.recurrent:
            return self._share(self.rows)
        w, (_, thread, team) = self.writer, self.function.args
        loads = w.pointer(self.table, LOADS)
        following = w.builder.add(thread, index(1))
        low, high = (
            first_row(w, loads, self.rows, number, team)
            for number in (thread, following)
        )
        if self.program.sums:
            low, high = self._whole_sums(low), self._whole_sums(high)
        return low, high

    def _whole_sums(self, row: ir.Value) -> ir.Value:
        """The first row from there on with which a row of sums begins, or the end."""
        builder, shift = self.writer.builder, self.shift
        most = builder.sub(builder.shl(index(1), shift), index(1))
        group = builder.lshr(builder.add(row, most), shift)
        return self.writer.minimum(builder.shl(group, shift), self.rows)

    def _share(self, whole: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Give this thread's part of so many things."""
        _, thread, team = self.function.args
        return self.writer.share(whole, thread, team)

    def _meet(self) -> None:
        """Prepare the barrier behind every sweep."""
        w, builder = self.writer, self.writer.builder
        self.flags = w.pointer(self.table, FLAGS)
        self.give_up = w.pointer(self.table, GIVE_UP)
        self.barriers = builder.alloca(INDEX)
        builder.store(index(0), self.barriers)

    def _wait(self) -> None:
        """Go on when all threads have come so far."""
        builder = self.writer.builder
        _, thread, team = self.function.args
        count = builder.add(builder.load(self.barriers), index(1))
        builder.store(count, self.barriers)
        builder.call(
            self.function.module.get_global("barrier"),
            [self.flags, thread, team, count, self.give_up],
        )

    def _names(self) -> list[str]:
        """Named words that this program needs."""
        names: dict[str, None] = {}
        for place in self.layout.places:
            kind, _, name = place.partition(" ")
            if kind in {"buffer", "previous"}:
                names[f"buffer {name}"] = None
            if place == SUMS:
                names[f"buffer {SUMS}"] = None
            if place == FROM_OUTPUT:
                names[f"start {self._output_state()}"] = None
            elif kind in {"old", "new"}:
                names[f"carry {name}"] = None
        for node in self.program.nodes:
            if node.operation == "operand":
                names[f"operand {node.attributes[0]}"] = None
        return list(names)

    def _find_rows(self, table: ir.Value) -> None:
        w = self.writer
        if self.program.recurrent:
            self.steps = w.count(table, STEPS)
            self.batch = w.count(table, BATCH)
            self.rows = self.batch
            self.row_table = w.pointer(table, TABLE)
            self.shift = w.count(table, SHIFT)
        else:
            self.rows = w.count(table, ROWS)

    def _prepare_draws(self, table: ir.Value) -> None:
        """Make the keys of all that the program draws."""
        self.draws: Draws | None = None
        nodes = [n for n in random_nodes(self.program.nodes) if n.kind is Kind.STEP]
        if not nodes:
            return
        w, sequences = self.writer, None
        if not self.program.recurrent and _per_sequence(nodes):
            sequences = w.pointer(table, self.arguments.position(SEQUENCES))
        key = w.pointer(table, self.arguments.position(KEY))
        self.draws = Draws(w, self.math, key, nodes, sequences)

    def _reserve(self) -> ir.Value:
        """Memory for the accumulators of one tile, on the stack."""
        most = max(
            (
                len(sweep.group.accumulators) * sweep.vectors * sweep.block
                for one in self.layout.sweeps
                for sweep in self.layout.ways(one)
            ),
            default=0,
        )
        return self.writer.reserve(max(1, most))

    def _step(self, iteration: ir.Value, chunk: ir.Value, end: ir.Value) -> None:
        w, builder = self.writer, self.writer.builder
        step = self.iteration = iteration
        if self.program.backwards:
            last = builder.sub(self.steps, index(1))
            step = builder.sub(last, iteration)
        double = builder.add(self.steps, self.steps)
        start = w.count(self.row_table, step)
        before = w.count(self.row_table, builder.add(step, self.steps))
        alive = w.count(self.row_table, builder.add(step, double))
        active = builder.sub(w.minimum(alive, end), chunk)
        if self.options.fetch_ahead and self.program.backwards:
            self.rows_ahead = builder.sub(before, start)
        with builder.if_then(builder.icmp_signed(">", active, index(0))):
            if self.draws is not None:
                self.draws.begin(builder.add(start, chunk), chunk)
            self._phases(self._step_addresses(iteration, start, before, chunk), active)

    def _address(self, place: str, row: ir.Value) -> ir.Value:
        w = self.writer
        stride = row_stride(place, self.widths, self.sizes)
        name = place.partition(" ")[2]
        return w.at(self.addresses[f"buffer {name}"], w.times(row, stride))

    def _row_addresses(self, chunk: ir.Value) -> dict[str, ir.Value]:
        found: dict[str, ir.Value] = {}
        for place in self.layout.places:
            if place == LISTS:
                found[place] = self.lists
            elif place == "scratch":
                found[place] = self.own_scratch
            else:
                found[place] = self._address(place, chunk)
        return found

    def _step_addresses(
        self,
        iteration: ir.Value,
        start: ir.Value,
        before: ir.Value,
        chunk: ir.Value,
    ) -> dict[str, ir.Value]:
        w, builder = self.writer, self.writer.builder
        own = builder.add(start, chunk)
        last = builder.add(before, chunk)
        slot = builder.and_(iteration, index(1))
        other = builder.xor(slot, index(1))
        found: dict[str, ir.Value] = {}
        for place in self.layout.places:
            kind, _, name = place.partition(" ")
            if place == FROM_OUTPUT:
                found[place] = self._previous_output(iteration, last, chunk)
            elif kind in {"buffer", "previous"}:
                found[place] = self._address(place, own if kind == "buffer" else last)
            elif kind in {"old", "new"}:
                side = other if kind == "old" else slot
                row = builder.add(builder.mul(side, self.batch), chunk)
                offset = w.times(row, self.sizes[place])
                found[place] = w.at(self.addresses[f"carry {name}"], offset)
            elif place == SUMS:
                line = builder.lshr(chunk, self.shift)
                found[place] = self._address(f"buffer {SUMS}", line)
            else:
                found[place] = self.lists if place == LISTS else self.own_scratch
        return found

    def _output_state(self) -> int:
        """The state whose rows are the output's."""
        return next(
            int(node.attributes[3])
            for node in self.program.nodes
            if node.operation == "previous" and node.attributes[0] == OUTPUT
        )

    def _previous_output(
        self, iteration: ir.Value, last: ir.Value, chunk: ir.Value
    ) -> ir.Value:
        """Rows of the step before, where the output holds a state.

        The output belongs to the user: what comes before its first step lies
        elsewhere.
        """
        w, builder = self.writer, self.writer.builder
        start = self.addresses[f"start {self._output_state()}"]
        initial = w.at(start, w.times(chunk, self.widths[OUTPUT]))
        end = index(0)
        if self.program.backwards:
            end = builder.sub(self.steps, index(1))
        first = builder.icmp_signed("==", iteration, end)
        return builder.select(first, initial, self._address(FROM_OUTPUT, last))

    def _phases(self, bases: dict[str, ir.Value], active: ir.Value) -> None:
        """All sweeps of a step, those without products for few rows at a time."""
        w, builder = self.writer, self.writer.builder
        if self.layout.split_units:
            for sweep in self.layout.sweeps:
                self._sweep(sweep, bases).write(active)
                self._wait()
            return
        for products, run in groupby(self.layout.sweeps, has_products):
            if products:
                for sweep in run:
                    self._sweep(sweep, bases).write(active)
                continue
            sweeps = list(run)
            with w.loop(index(0), active, FEW) as low:
                high = w.minimum(builder.add(low, index(FEW)), active)
                for sweep in sweeps:
                    self._sweep(sweep, bases).write_rows(low, high)

    def _sweep(self, sweep: Sweep, bases: dict[str, ir.Value]) -> SweepWriter:
        return SweepWriter(
            self.writer,
            self.math,
            self.tiles,
            self.program.nodes,
            self.schedule,
            self.layout.ways(sweep),
            bases=bases,
            strides={p: row_stride(p, self.widths, self.sizes) for p in bases},
            operands={
                int(name.partition(" ")[2]): address
                for name, address in self.addresses.items()
                if name.startswith("operand ")
            },
            panels=self.panels,
            sums=self.sums,
            rows_ahead=self.rows_ahead,
            shift=self.shift if self.program.sums else None,
            tiles_of=self._share if self.layout.split_units else None,
            options=self.options,
            draws=self.draws,
            iteration=self.iteration,
            configured=self.configured,
            to_and_fro=self.layout.stays_near,
            fetch_panels=self.options.fetch_ahead and self.layout.outgrows_cache,
        )


def _per_sequence(nodes: Sequence[Node]) -> bool:
    return any(draw_of(node).period == "sequence" for node in nodes)
