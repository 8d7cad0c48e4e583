"""FROM ROWS TO MATRICES: what a table of any source becomes before it is learned from.

In order: `roles` says what each column is for, `keys` finds the sequences, `coding`
turns columns into numbers, `placing` puts every row at its place in a store, `times`
orders the steps of a sequence, `questions` says what is asked, `splitting` draws the
parts, `classes` gives categories the places that the training part knows.
`assembling` runs them all.

Imports the sources, the store, the schema and the errors. Next: `datasets`.
"""
