// SPDX-License-Identifier: Apache-2.0
// A hub of models on loopback with one small file that comes slowly, and the user's list of models that names it.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const BYTES = 3_000_000, PIECE = 300_000, PIECE_MS = 150;

export class Hub {
  /** config: what becomes XDG_CONFIG_HOME. */
  static async start(config) {
    const hub = new Hub();
    const data = Buffer.alloc(BYTES, 7);
    hub.server = http.createServer((request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(from ? 206 : 200, {
        "content-length": BYTES - from, "accept-ranges": "bytes", etag: '"1"',
        ...(from && { "content-range": `bytes ${from}-${BYTES - 1}/${BYTES}` }),
      });
      if (request.method === "HEAD") return response.end();
      const more = (at) => {
        if (at >= BYTES) return response.end();
        response.write(data.subarray(at, at + PIECE));
        setTimeout(more, PIECE_MS, at + PIECE);
      };
      more(from);
    });
    await new Promise((resolve) => hub.server.listen(0, "127.0.0.1", resolve));
    hub.name = `of-the-test-${process.pid}`;
    fs.mkdirSync(path.join(config, "inlined"), { recursive: true });
    fs.writeFileSync(path.join(config, "inlined/models.json"), JSON.stringify({
      endpoint: `http://127.0.0.1:${hub.server.address().port}`,
      models: [{
        name: hub.name, file: `${hub.name}.gguf`, fim: "none", context_tokens: 99, bytes: BYTES,
        sha256: crypto.createHash("sha256").update(data).digest("hex"),
        sources: [{ kind: "hf", repo: "Test/Test", file: "test.gguf" }],
      }],
    }));
    return hub;
  }

  end() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
