# SPDX-License-Identifier: Apache-2.0
"""Percentiles, Wilson intervals, and the bootstrap by group (positions of one file are not
independent, so files are drawn, not positions)."""
import math
import random


def percentile(values, share):
    """Linear between neighbours; NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def wilson(hits, n, z=1.96):
    """95 % interval of a share, as (low, high)."""
    if n == 0:
        return 0.0, 1.0
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(groups, statistic, rounds=1000, seed=1):
    """95 % interval of statistic(list of items) when whole groups are drawn with replacement."""
    rng = random.Random(seed)
    found = []
    for _ in range(rounds):
        drawn = [item for _ in groups for item in rng.choice(groups)]
        found.append(statistic(drawn))
    return percentile(found, 0.025), percentile(found, 0.975)
