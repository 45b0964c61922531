"""The assets, what their pages show, and their metadata."""
