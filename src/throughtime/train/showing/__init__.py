"""SHOWING: what a person sees of a training.

`progress` is the bar, or the lines of a log; `board` writes for TensorBoard; `picture`
draws the course of a training once it has ended, in colours that `look` knows;
`choosing` says who is told.

May import `files` and the names of metrics.

Next: `learning`, which tells what happens.
"""
