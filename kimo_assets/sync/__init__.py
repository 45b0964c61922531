"""Step 3: schema kimo -> the sync store: who sees each row, objects, manifests, and a client."""
