# SPDX-License-Identifier: Apache-2.0
"""How far one file of teacher-forced logits is from another (both f32, a row for each position).

    distance.py REFERENCE OTHER < prompts as JSON       prints JSON
"""
import json
import sys

import numpy as np

BEST = 10
ROWS = 64  # at a time: rows are long


def log_softmax(rows):
    rows = rows.astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


def compare(reference, other, prompts):
    """mean_best: mean |difference of log p| over the reference's ten best; mean_next: over the
    prompt's own next tokens; kl: mean divergence; largest: of the first two; changed: positions
    where another token is the best."""
    count = sum(map(len, prompts))
    following = [t for p in prompts for t in [*p[1:], -1]]
    a, b = (np.memmap(path, "<f4", "r").reshape(count, -1) for path in (reference, other))
    best, forced, divergence, changed = [], [], 0.0, 0
    for at in range(0, count, ROWS):
        x, y = log_softmax(a[at:at + ROWS]), log_softmax(b[at:at + ROWS])
        top = np.argpartition(-x, BEST, axis=1)[:, :BEST]
        best.append(np.abs(np.take_along_axis(x, top, 1) - np.take_along_axis(y, top, 1)).ravel())
        ids = np.array(following[at:at + ROWS])
        rows = np.nonzero(ids >= 0)[0]
        forced.append(np.abs(x[rows, ids[rows]] - y[rows, ids[rows]]))
        divergence += float((np.exp(x) * (x - y)).sum())
        changed += int((x.argmax(1) != y.argmax(1)).sum())
    best, forced = np.concatenate(best), np.concatenate(forced)
    if not (np.isfinite(best).all() and np.isfinite(forced).all()):
        raise RuntimeError(f"{other}: a logit is not a number")
    return {"mean_best": float(best.mean()), "mean_next": float(forced.mean()),
            "kl": divergence / count, "largest": float(max(best.max(), forced.max())),
            "changed": changed}


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[1], sys.argv[2], json.load(sys.stdin))))
