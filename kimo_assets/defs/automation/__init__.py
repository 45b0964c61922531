"""What runs by itself: schedules, sensors, mails about runs."""
