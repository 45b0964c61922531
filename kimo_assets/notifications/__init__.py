"""The NotificationCenter: mails about runs, and the morning report. A mail server that is down
never fails a run.
"""
