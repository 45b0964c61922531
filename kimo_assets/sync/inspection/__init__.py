"""Looking at what was published: its size, its soundness, what a sync would bring."""
