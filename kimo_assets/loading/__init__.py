"""Step 2: schema integrator -> schema kimo. The set-based diff, held rows, references."""
