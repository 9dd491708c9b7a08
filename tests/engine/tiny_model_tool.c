/* SPDX-License-Identifier: Apache-2.0 */
/* Writes one of the tests' own model files, so that other programs can read the same numbers.
 *
 *     tiny_model_tool ARCHITECTURE OUT.gguf
 */
#include "engine/base/mem.h"
#include "tests/engine/tiny_model.h"

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: tiny_model_tool ARCHITECTURE OUT.gguf\n");
        return 2;
    }
    size_t n;
    char *bytes = tiny_model_make(&(tiny_options){.arch = argv[1], .layers = 7, .seed = 1}, &n);
    FILE *f = fopen(argv[2], "wb");
    bool written = f && fwrite(bytes, 1, n, f) == n;
    written &= f && fclose(f) == 0;
    if (!written) fprintf(stderr, "tiny_model_tool: %s could not be written\n", argv[2]);
    xfree(bytes);
    return written ? 0 : 1;
}
