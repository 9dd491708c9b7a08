// SPDX-License-Identifier: Apache-2.0
// A hub of models on loopback with one small file that comes slowly, and the user's list of models that names it.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const PIECE_MS = 150;
let hubs = 0;

export class Hub {
  /** config: what becomes XDG_CONFIG_HOME; the file's bytes, how many come at once, more keys of its entry.
   * With `held`, the second half comes when somebody has set that to false. */
  static async start(config, { data = Buffer.alloc(3_000_000, 7), piece = 300_000, held = false, ...entry } = {}) {
    const hub = new Hub();
    hub.held = held;
    hub.server = http.createServer((request, response) => {
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(from ? 206 : 200, {
        "content-length": data.length - from, "accept-ranges": "bytes", etag: '"1"',
        ...(from && { "content-range": `bytes ${from}-${data.length - 1}/${data.length}` }),
      });
      if (request.method === "HEAD") return response.end();
      const more = (at) => {
        if (at >= data.length) return response.end();
        if (hub.held && at >= data.length / 2) return setTimeout(more, PIECE_MS, at);
        response.write(data.subarray(at, at + piece));
        setTimeout(more, PIECE_MS, at + piece);
      };
      more(from);
    });
    await new Promise((resolve) => hub.server.listen(0, "127.0.0.1", resolve));
    hub.name = `of-the-test-${process.pid}-${++hubs}`;
    fs.mkdirSync(path.join(config, "inlined"), { recursive: true });
    fs.writeFileSync(path.join(config, "inlined/models.json"), JSON.stringify({
      endpoint: `http://127.0.0.1:${hub.server.address().port}`,
      models: [{
        name: hub.name, file: `${hub.name}.gguf`, fim: "none", context_tokens: 99, ...entry, bytes: data.length,
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
