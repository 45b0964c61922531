"""Which agent sees which row: the catalogue's scopes compiled to SQL and sets of agents."""
