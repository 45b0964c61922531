"""The reference client: an agent's data into a local SQLite file. It needs the store only."""
