"""ASKING: what a training was asked for, and what it does where nothing was said.

`asked` takes it out of the arguments of `fit`; `settings` are all that shapes a
training beside its cell and data, checked; `defaults` what suits the data, and what has
nothing to act on (`reach`: forecasts; `choices`: ways to descend); `sources` where data
come from, so that a run finds them again; `configuration` all of it as TOML.

May import `data`, `nn` and the rooms below, `descent` and `truncation` for their names.

Next: `preparing`.
"""
