"""From schema kimo to the store: buckets, objects, manifests, the ledger of what was published."""
