"""What a Celery worker knows of its broker.

`celery -A dagster_celery.app worker` imports a module of this name from PYTHONPATH.

The addresses may hold passwords. They are in the environment, as for the daemon
(deploy/dagster-celery.yaml).
"""

import os

broker_url = os.environ["KIMO_CELERY_BROKER"]
result_backend = os.environ["KIMO_CELERY_BACKEND"]
# One run at a time to a process. The others stay with the broker, for workers that are free.
worker_prefetch_multiplier = 1
