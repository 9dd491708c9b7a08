# SPDX-License-Identifier: Apache-2.0
"""Each kernel of a step: its time, and what share it has of the copy bandwidth and of the tensor
cores, from Nsight Compute over two layers of a model (bench_gpu --once)."""
import csv
import io
import os
import re
import subprocess

PRESETS = {"0.5b": "0.5b-q8_0", "1.5b": "1.5b-q4_k_m", "3b": "3b-q4_k_m", "7b": "7b-q4_k_m"}
TENSOR = ("sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_elapsed",
          "sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_elapsed",
          "sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_elapsed")
LOADING = "repack_kernel|strips_kernel|to_f16_kernel"  # kernels of loading


def tensor_metric(chip):
    """The name that this profiler has for the share of the tensor cores."""
    known = subprocess.run(["ncu", "--query-metrics", "--chips", chip], capture_output=True,
                           text=True, check=False).stdout
    return next((m for m in TENSOR if re.search(rf"^{m.split('.', 1)[0]}\b", known, re.M)), None)


def profile(program, model, copy, token):
    """Rows of {model, way, kernel, grid, calls, us, share_of_copy, tensor_cores}."""
    tensor = tensor_metric("gh100")
    metrics = ["gpu__time_duration.sum", "dram__bytes.sum", *([tensor] if tensor else [])]
    done = subprocess.run(
        ["ncu", "--csv", "--page", "raw", "--clock-control", "none", "--cache-control", "none",
         "--metrics", ",".join(metrics), "--kernel-name", f"regex:^(?!.*({LOADING})).*$",
         "--print-units", "base", program, "--once", PRESETS[model]],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "INLINED_CUDA_TOKEN": "1" if token else "0"})
    table = [line for line in done.stdout.splitlines() if line.startswith('"')]
    if done.returncode != 0 or not table:
        raise RuntimeError(f"ncu: {done.stdout[-600:]} {done.stderr[-600:]}")
    groups = {}
    for row in csv.DictReader(io.StringIO("\n".join(table))):
        if not row["ID"].isdigit():
            continue  # the line of units
        name = re.sub(r"\(.*", "", row["Kernel Name"]).replace("void ", "")[:60]
        key = (name, row["Grid Size"])
        groups.setdefault(key, []).append([float(row[m].replace(",", "")) for m in metrics])
    rows = []
    for (name, grid), values in groups.items():
        mean = [sum(column) / len(values) for column in zip(*values)]
        rows.append({"model": model, "way": "token kernel" if token else "launches",
                     "kernel": name, "grid": grid, "calls": len(values),
                     "us": round(mean[0] / 1e3, 2),
                     "share_of_copy": round(mean[1] / (mean[0] * 1e-9) / copy, 3),
                     "tensor_cores": round(mean[2] / 100, 3) if tensor else ""})
    return rows
