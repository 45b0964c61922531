"""Step 3: schema kimo -> the sync store. Who sees what, objects shared once, manifests, and the
reference client.
"""
