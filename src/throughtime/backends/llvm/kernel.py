"""Compiled halves of a plan, as functions of addresses."""

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from throughtime.backends.llvm.barrier import LINE, WORD_BYTES
from throughtime.backends.llvm.compile import Code, load, object_code
from throughtime.backends.llvm.layout import CHUNK, FIXED, FLAGS
from throughtime.backends.llvm.module import (
    Work,
    body_name,
    threads_word,
    write_module,
)
from throughtime.backends.llvm.object_cache import cached, version
from throughtime.backends.llvm.options import Settings
from throughtime.backends.llvm.profile import PACKING, region_names, timed, watching
from throughtime.backends.llvm.rows import Rows
from throughtime.backends.llvm.target import Target, host
from throughtime.backends.llvm.threads import OpenMP, give_up, run_in_pool
from throughtime.graph.programs import Plan

SMALLEST_SHARE = 200_000
"""Multiply-adds that are worth waking another thread for."""


@dataclass(frozen=True)
class Facts:
    """What a caller must know of a compiled half."""

    names: tuple[str, ...]
    panel_size: int
    scratch_width: int
    regions: tuple[Work, ...]

    @property
    def splits(self) -> bool:
        """Whether threads share the units of a row somewhere."""
        return any(work.parts for work in self.regions)


class Kernel:
    """Programs and contractions of one half of a plan, compiled."""

    def __init__(
        self, facts: Facts, code: Code, programs: int, region_names: Sequence[str]
    ) -> None:
        self.facts = facts
        self._code = code
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(code.address("run"))
        self._programs = programs
        self._region_names = region_names

    def threads(self, rows: Rows, most: int) -> list[int]:
        """Threads of each region: no more than rows, none for too little work."""
        found = []
        for work in self.facts.regions:
            several = work.per_row * rows.total // SMALLEST_SHARE
            limit = rows.batch if work.recurrent else rows.total
            limit = work.parts or limit
            found.append(max(1, min(most, several, limit)))
        return found

    def workspace(self, threads: int) -> int:
        """Numbers of scratch memory for a call with so many threads."""
        return self.facts.panel_size + CHUNK * threads * self.facts.scratch_width

    def run(
        self,
        addresses: Mapping[str, int],
        rows: Rows,
        workspace: int,
        item_bytes: int,
        threads: int,
        library: OpenMP | None,
    ) -> None:
        """Compute.

        Parameters
        ----------
        addresses
            Of every word in ``facts.names`` that is not a number of threads.
        rows
            Where the rows lie.
        workspace
            Address of as many numbers as `workspace` says, 64-byte aligned.
        item_bytes
            Size of one number.
        threads
            How many threads may be used.
        library
            Whose threads; None for those of a small pool.
        """
        counts = self.threads(rows, threads)
        table = self._table(addresses, rows, workspace, item_bytes, counts, library)
        pooled = library is None and max(counts) > 1
        if watching():
            for name, part in self._parts(table, counts, pooled=pooled):
                timed(name, part)
        elif pooled:
            for _, part in self._parts(table, counts, pooled=True):
                part()
        else:
            self._run(ctypes.addressof(table))

    def _table(
        self,
        addresses: Mapping[str, int],
        rows: Rows,
        workspace: int,
        item_bytes: int,
        counts: list[int],
        library: OpenMP | None,
    ) -> ctypes.Array[ctypes.c_int64]:
        """The words that compiled code reads."""
        given = {threads_word(i): count for i, count in enumerate(counts)}
        words = {**addresses, **given}
        named = [words[name] for name in self.facts.names]
        functions = (0, 0, 0)
        if library is not None:
            functions = (library.parallel, library.thread, library.team)
        scratch = workspace + self.facts.panel_size * item_bytes
        fixed = [
            rows.steps,
            rows.batch,
            rows.total,
            rows.table,
            *functions,
            workspace,
            scratch,
            rows.segments,
            rows.segment_count,
            0,
            give_up() or 0,
        ]
        assert len(fixed) == FIXED, "the table of arguments and its layout differ"
        # Flags of a barrier stand behind the words, each on a cache line of its own.
        flags = LINE * (max(counts) + 1) if self.facts.splits else 0
        table = (ctypes.c_int64 * (FIXED + len(named) + flags))(*fixed, *named)
        behind = ctypes.addressof(table) + WORD_BYTES * (FIXED + len(named))
        table[FLAGS] = -(-behind // (LINE * WORD_BYTES)) * LINE * WORD_BYTES
        return table

    def _parts(
        self, table: ctypes.Array[ctypes.c_int64], counts: list[int], *, pooled: bool
    ) -> Iterator[tuple[str, Callable[[], None]]]:
        """All that ``run`` does, one after the other, by name."""
        address = ctypes.addressof(table)
        once = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        shared = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        yield PACKING, partial(once(self._code.address("pack_all")), address)
        for region, (name, threads) in enumerate(
            zip(self._region_names, counts, strict=True)
        ):
            if not pooled:
                entry = once(self._code.address(f"region.{region}"))
                yield name, partial(entry, address)
                continue
            body = shared(self._code.address(body_name(region, self._programs)))
            task = partial(_share, body, address, threads)
            yield name, partial(run_in_pool, task, threads)


def _share(
    body: Callable[[int, int, int], None], address: int, threads: int, number: int
) -> None:
    """What one thread of a pool does."""
    body(address, number, threads)


def compile_half(
    plan: Plan,
    *,
    backward: bool,
    widths: Mapping[str, int],
    settings: Settings,
    target: Target | None = None,
) -> Kernel:
    """Compile the forward or the backward half of a plan.

    Parameters
    ----------
    plan
        The plan.
    backward
        Which half.
    widths
        Columns of all buffers, the caller's own included.
    settings
        Numbers and ways.
    target
        The processor; by default the one this process runs on.
    """
    chosen = target or host()
    programs = plan.backward if backward else plan.forward
    contractions = plan.contractions if backward else ()
    shapes = [plan.nodes[index].shape for index in plan.operands]

    def make() -> tuple[dict[str, object], bytes]:
        source = write_module(
            programs,
            contractions,
            widths,
            [shape[1] if len(shape) == 2 else 1 for shape in shapes],
            chosen,
            settings,
        )
        facts: dict[str, object] = {
            "names": list(source.names),
            "panel_size": source.panel_size,
            "scratch_width": source.scratch_width,
            "regions": [asdict(work) for work in source.regions],
        }
        return facts, object_code(source.text, chosen)

    own = programs, contractions, shapes, sorted(widths.items()), settings
    facts, code = cached(f"{own} {chosen.key} {version()}", make)
    names = region_names(programs, contractions, backward=backward)
    return Kernel(_facts(facts), load(code, chosen), len(programs), names)


def _facts(stored: dict[str, object]) -> Facts:
    regions = stored["regions"]
    names = stored["names"]
    assert isinstance(regions, list) and isinstance(names, list)
    return Facts(
        names=tuple(str(name) for name in names),
        panel_size=int(str(stored["panel_size"])),
        scratch_width=int(str(stored["scratch_width"])),
        regions=tuple(Work(**work) for work in regions),
    )
