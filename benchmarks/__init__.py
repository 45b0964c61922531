"""How fast an import is, as ratios to a floor that is measured in the same run. Not shipped, and no
test.

`python -m benchmarks` runs everything and writes docs/benchmarks.json. What is measured stands in
scenarios.py; each piece of work runs in a process of its own (work/), so that its memory and CPU
seconds are its own.
"""
