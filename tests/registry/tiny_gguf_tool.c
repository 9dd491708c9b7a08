/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a small model of the given architecture:  tiny_gguf_tool ARCH FILE [TEMPLATE]
 * With a TEMPLATE it can chat, about as much as fits into 4096 tokens. */
#include "engine/base/mem.h"
#include "tests/engine/tiny_model.h"

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) return 2;
    size_t n;
    tiny_options opt = {.arch = argv[1]};
    if (argc == 4) {
        opt.chat = argv[3];
        opt.context = 4096;
    }
    char *bytes = tiny_model_make(&opt, &n);
    FILE *f = fopen(argv[2], "wb");
    bool good = f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0;
    xfree(bytes);
    return good ? 0 : 1;
}
