"""How often one address may send requests: a token bucket for each, refilled steadily."""

import time
from collections import OrderedDict
from collections.abc import Callable

# A scan from many addresses must not fill the memory.
_ADDRESSES = 10_000


class Rates:
    """per_minute: requests of an address, which may also come all at once.

    Where there are very many addresses, the one without a request for longest is forgotten.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Counts a request: 0 when it may pass, else the seconds until one may."""
        now = self._clock()
        # Taken out and put back, so that the order is that of the last requests.
        left, at = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        passes = left >= 1
        self._buckets[address] = (left - 1 if passes else left, now)
        if len(self._buckets) > _ADDRESSES:
            self._buckets.popitem(last=False)
        if passes:
            return 0.0
        return (1 - left) / self._per_second
