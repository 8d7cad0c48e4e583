"""PREPARING: all that is there before the first step.

`building` makes a model for data, of what is measured on the training part alone:
`scales` (means and deviations), `readers` (from the numbers of columns to vectors) and
`outputs` (what the numbers of the head stand for); `truth` is what answers are compared
with; `regularising` rewrites the equations of the cell as asked.

May import what `train` may, and `asking`.

Next: `tasks`, batches of answers.
"""
