/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a small model of the given architecture:  tiny_gguf_tool ARCH FILE */
#include "engine/base/mem.h"
#include "tests/engine/tiny_model.h"

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    size_t n;
    char *bytes = tiny_model_make(&(tiny_options){.arch = argv[1]}, &n);
    FILE *f = fopen(argv[2], "wb");
    bool good = f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0;
    xfree(bytes);
    return good ? 0 : 1;
}
