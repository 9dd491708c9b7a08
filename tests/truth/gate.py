# SPDX-License-Identifier: Apache-2.0
"""How far is our fast path from the arbiter, our f32 reference, and how far is llama.cpp?

judge() runs all three over the same prompts, teacher forced, and measures |delta log p| over the
reference's ten best tokens and over the prompt's own next tokens.
"""
import dataclasses

import truth

WAYS = (64, 1)  # rows a step: as a prompt is read, and as text is written
GAP = 0.3  # another choice than the reference's is a matter of rounding below this


@dataclasses.dataclass
class Distance:
    name: str
    figures: list  # mean over the best tokens, mean over the next tokens, maximum of all
    changed: int  # rows where it chooses another token than the reference
    gap: float  # the largest distance of the reference's two best among those

    def row(self):
        return [self.name, *self.figures, self.changed, self.gap]


WHAT = ["mean of best", "mean of next", "maximum"]
HEAD = ["engine", *WHAT, "other choice", "largest gap"]


def next_asks(prompts):
    return [[tokens[p + 1:p + 2] for p in range(len(tokens))] for tokens in prompts]


def distance(name, prompts, facts, logs):
    """logs: for each prompt and row {id: log p}."""
    best, following, gaps = [], [], []
    for tokens, rows, others in zip(prompts, facts, logs, strict=True):
        for p, (row, other) in enumerate(zip(rows, others, strict=True)):
            true = {int(i): v - row["lse"] for i, v in row["logits"].items()}
            best += [abs(true[i] - other[i]) for i in row["top"]]
            following += [abs(true[i] - other[i]) for i in tokens[p + 1:p + 2]]
            if max(row["top"], key=other.__getitem__) != row["top"][0]:
                gaps.append(true[row["top"][0]] - true[row["top"][1]])
    figures = [sum(best) / len(best), sum(following) / len(following), max(best + following)]
    return Distance(name, figures, len(gaps), max(gaps, default=0.0))


def judge(model, prompts, facts=None):
    """(llama.cpp's distance, ours for each way).  facts: of the reference, with at least
    next_asks().  Raises what the runs raise; without llama.cpp Absent."""
    facts = facts or truth.our_rows("ref", 192, prompts, next_asks(prompts), model)
    asks = [[list(dict.fromkeys(row["top"] + tokens[p + 1:p + 2])) for p, row in enumerate(rows)]
            for tokens, rows in zip(prompts, facts, strict=True)]
    theirs = truth.llama_rows(prompts, asks, model)
    logs = [[dict(zip(i, v)) for i, v in zip(a, r)] for a, r in zip(asks, theirs, strict=True)]
    peer = distance("llama.cpp", prompts, facts, logs)
    ours = []
    for rows in WAYS:
        got = truth.our_rows("cpu", rows, prompts, asks, model)
        logs = [[{i: row["logits"][str(i)] - row["lse"] for i in ids}
                 for row, ids in zip(r, a)] for r, a in zip(got, asks, strict=True)]
        ours.append(distance(f"ours, {rows} rows a step", prompts, facts, logs))
    return peer, ours


def findings(peer, ours):
    """What the gate says is wrong, a sentence each."""
    wrong = []
    for way in ours:
        for what, mine, other in zip(WHAT, way.figures, peer.figures, strict=True):
            if mine > other:
                wrong.append(f"{way.name}: {what} {mine:.3g} is above llama.cpp's {other:.3g}")
        if way.gap > GAP:
            wrong.append(f"{way.name}: another choice where the two best are {way.gap:.2f} apart")
    return wrong
