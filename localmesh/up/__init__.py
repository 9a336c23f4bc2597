"""Wires all stages: at the start, and whenever a file is saved.

`stages` is the pure part, a line for each stage; `running` performs it, and `beginning` is the list of what is started.
Nothing is imported here, so that `localmesh check` loads no more than it needs.
"""
