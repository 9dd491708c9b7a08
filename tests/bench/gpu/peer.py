# SPDX-License-Identifier: Apache-2.0
"""llama.cpp with CUDA: built from the sources in the npm package, and its server."""
import http.client
import json
import os
import pathlib
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]
OPTIONS = ("-DGGML_CUDA=ON", "-DGGML_CUDA_NCCL=OFF", "-DLLAMA_BUILD_TESTS=OFF",
           "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_OPENSSL=OFF",
           "-DLLAMA_USE_PREBUILT_UI=OFF", "-DGGML_CUDA_COMPRESSION_MODE=none")


def unpack(source, folder):
    """A folder of sources from one, from an archive of one, or from the package's git bundle."""
    if os.path.isdir(source):
        return pathlib.Path(source)
    to = pathlib.Path(folder) / "llama.cpp"
    if not to.exists():
        if source.endswith(".bundle"):
            subprocess.run(["git", "clone", "-q", source, to], check=True)
        else:
            to.mkdir(parents=True)
            subprocess.run(["tar", "xf", source, "-C", to], check=True)
    return to


def build(source, folder, capability, log):
    """Returns the folder of programs and libraries; compiles our two programs beside them."""
    at = pathlib.Path(folder) / "llama.cpp-build"
    with open(log, "w", encoding="utf-8") as f:
        subprocess.run(["cmake", "-S", source, "-B", at, "-G", "Ninja", *OPTIONS,
                        f"-DCMAKE_CUDA_ARCHITECTURES={capability}-real"], check=True, stdout=f,
                       stderr=f)
        subprocess.run(["cmake", "--build", at, "--target", "llama-server", "llama"], check=True,
                       stdout=f, stderr=f)
        libraries = at / "bin"
        for program, path in (("llama_cpp", HERE.parent / "decode/llama_cpp.c"),
                              ("llama_logits", HERE / "llama_logits.c")):
            subprocess.run(["cc", "-O2", f"-I{source}/include", f"-I{source}/ggml/include",
                            f"-I{TOP}", path, "-o", libraries / program, f"-L{libraries}",
                            "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{libraries}"],
                           check=True, stdout=f, stderr=f)
    return libraries


class Server:
    """llama-server on one model; ask() is one /infill."""

    def __init__(self, libraries, model, log):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(log, "w", encoding="utf-8") as f:
            self.process = subprocess.Popen(
                [libraries / "llama-server", "-m", model, "-ngl", "999", "-fa", "on", "-c", "4096",
                 "-np", "1", "--cache-reuse", "256", "--host", "127.0.0.1", "--port",
                 str(self.port)], stdout=f, stderr=f)
        self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(600):
            try:
                self.link.request("GET", "/health")
                answer = self.link.getresponse()
                answer.read()
                if answer.status == 200:
                    return
            except OSError:
                self.link.close()
            if self.process.poll() is not None:
                raise RuntimeError(f"llama-server ended; see {log}")
            time.sleep(0.1)
        raise RuntimeError("llama-server did not become ready")

    def ask(self, before, after, tokens):
        """(seconds, its own figures)"""
        body = json.dumps({"input_prefix": before, "input_suffix": after, "prompt": "",
                           "n_predict": tokens, "cache_prompt": True, "samplers": ["top_k"],
                           "top_k": 1, "ignore_eos": True})
        start = time.monotonic()
        self.link.request("POST", "/infill", body, {"Content-Type": "application/json"})
        answer = self.link.getresponse()
        text = answer.read()
        seconds = time.monotonic() - start
        if answer.status != 200:
            raise RuntimeError(f"/infill: {answer.status} {text[:200]!r}")
        return seconds, json.loads(text)["timings"]

    def close(self):
        self.process.terminate()
        self.process.wait()
