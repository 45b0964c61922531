"""What only reads: checks before a run, the state now, why a row is seen, reports to people."""
