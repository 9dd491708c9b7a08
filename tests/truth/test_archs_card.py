#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every architecture that a graphics card runs, on the card: against `transformers` and the CPU.

    test_archs_card.py TRUTH_LOGITS

Over 1,024 positions of code as bytes, for each model of archs_made.py with heads of 32:

1. the F32 and F16 files give transformers' logits within 1e-3 of the largest, in chunks and row by
   row (keys and values in float16 make half of that);
2. with Q8_0 matrices, prompts, which go through float16, are at most 1.25 times as far from our
   scalar reference as the CPU is (mean |delta log p| over the ten best), and rows of decoding,
   which go through int8, 1.75 times: the CPU gives the inputs that decide most 16 bits.

Skips where there is no card, saying so.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys

import archs_made
import test_archs
import truth
from test_archs import errors, log_softmax, np, ours

FLOAT, PROMPT, DECODE = 1e-3, 1.25, 1.75


def card():
    smi = shutil.which("nvidia-smi")
    done = smi and subprocess.run([smi, "-L"], capture_output=True, text=True, check=False)
    if not done or done.returncode != 0 or "GPU" not in done.stdout:
        truth.skip("no NVIDIA device is here")
    return done.stdout.split("\n", 1)[0]


def off_from_transformers(tool, folder, file):
    """The largest |difference| of a logit, relative to the largest logit: worst of the ways."""
    path, prompts = os.path.join(folder, f"{file}.gguf"), archs_made.prompts()
    want = np.fromfile(os.path.join(folder, f"{file}.logits"), "<f4").reshape(-1, archs_made.VOCAB)
    return max(float(np.abs(ours(tool, path, "cuda", rows, prompts) - want).max()
                     / np.abs(want).max()) for rows in (1, 48))


def off_from_reference(tool, folder, case):
    """Means for the CPU, and the card in chunks, in sevens and row by row."""
    path, prompts = os.path.join(folder, f"{case}-q8.gguf"), archs_made.prompts()

    def logs(device, rows):
        return log_softmax(ours(tool, path, device, rows, prompts))
    reference = logs("ref", 64)
    return [float(errors(logs(device, rows), reference).mean())
            for device, rows in (("cpu", 64), ("cuda", 64), ("cuda", 7), ("cuda", 1))]


def judge(tool, folder, case):
    """(row of the table, sentences about what is wrong)"""
    floats = [off_from_transformers(tool, folder, case + kind) for kind in ("", "-f16")]
    cpu, prompt, seven, one = off_from_reference(tool, folder, case)
    wrong = []
    if max(floats) > FLOAT:
        wrong.append(f"{case}: {max(floats):.2e} from transformers")
    if prompt > PROMPT * cpu or max(seven, one) > DECODE * cpu:
        wrong.append(f"{case}: {prompt:.2e}, {seven:.2e} and {one:.2e} from the reference, the CPU "
                     f"{cpu:.2e}")
    return [case, *floats, cpu, prompt, seven, one], wrong


def main():
    tool, name = sys.argv[1], card()
    folder = test_archs.models_folder("card")
    archs_made.for_card()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda case: judge(tool, folder, case), archs_made.CASES))
    print(name)
    truth.table(["case", "F32/hf", "F16/hf", "Q8_0: cpu", "card, 64 rows", "7", "1"],
                [row for row, _ in found])
    wrong = [sentence for _, sentences in found for sentence in sentences]
    print("\n".join(wrong) or f"{len(found)} cases right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
