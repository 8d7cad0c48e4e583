"""The table of arguments: one order for the code that is written and for its caller.

A compiled function takes one table of 64-bit words: sizes and addresses.
"""

from dataclasses import dataclass, field

(
    STEPS,
    BATCH,
    ROWS,
    TABLE,
    PARALLEL,
    THREAD,
    TEAM,
    PANELS,
    SCRATCH,
    SEGMENTS,
    COUNT,
    FLAGS,
    GIVE_UP,
    ENDS,
    LOADS,
    AGAIN,
    SHIFT,
    PACKERS,
    PARTS,
    PARTIAL,
) = range(20)
"""Fixed words: time steps, sequences, rows of all steps, the table of rows (starts,
starts of the step before, counts), addresses of three OpenMP functions, workspaces,
the segments of rows behind the first step that contractions with the step before run
over, for a barrier the flags of all threads and the address of a function that gives
the processor up, the rows in which sequences end, how many steps the sequences before
each one have, whether an earlier call has packed the panels and left sums of gradients
of parameters, to which those are added, by how many bits a sequence's number is shifted
to give the row of sums that it adds to, how many threads pack, in how many parts weight
gradients are summed, a power of two, and where the sums of all but the first lie."""
FIXED = 20


@dataclass
class Arguments:
    """Positions of named words behind the fixed ones."""

    names: list[str] = field(default_factory=list)

    def position(self, name: str) -> int:
        if name not in self.names:
            self.names.append(name)
        return FIXED + self.names.index(name)
