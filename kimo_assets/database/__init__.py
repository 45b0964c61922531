"""Kimo's side: one PostgreSQL, its schemas from the catalogue, COPY, locks and the ledger."""
