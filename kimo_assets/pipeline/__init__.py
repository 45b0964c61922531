"""What a run does, in order: the lock, a load number, steps over entities, failures collected."""
