"""THE REPORT: what happened in a training, as one HTML page.

`write_report` makes a file that needs no network: first whether it learned, how far its
memory reaches and what to change, then the charts with their numbers.

`reading` takes in what a run folder holds; `verdict` says it in sentences; `curves`,
`flow`, `memory` and `surface` make `figures`; `typesetting` sets equations; `page` puts
all of it together, and `live` serves it while a training goes on.

May import all rooms below `cli` but `bench`. Only `live` needs torch.

Next: `cli`, whose `throughtime report` calls it.
"""

from throughtime.report.page import write_report

__all__ = ["write_report"]
