"""The store and its formats: objects by hash, manifests, rows and documents as CSV and JSON."""
