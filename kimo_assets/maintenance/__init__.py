"""What keeps an installation healthy: retention of the past, semaphores set free by hand."""
