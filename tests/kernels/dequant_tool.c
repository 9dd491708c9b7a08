/* SPDX-License-Identifier: Apache-2.0 */
/* dequant_tool TYPE ELEMENTS < blocks > floats: k_dequant on a pipe, for
 * tests/kernels/test_dequant.py. TYPE is GGUF's number.  "-" as TYPE prints a line for each of 64
 * numbers: number, elements and bytes of a block (0 0: not read), name.
 */
#include "engine/base/mem.h"
#include "kernels/blocks.h"

static int list_types(void) {
    for (int t = 0; t < 64; t++)
        fprintf(stdout, "%d %d %zu %s\n", t, k_type_block((k_type)t), k_type_bytes((k_type)t),
                k_type_name(t));
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "-") == 0) return list_types();
    if (argc != 3) return 2;
    k_type type = (k_type)strtol(argv[1], NULL, 10);
    int64_t n = strtoll(argv[2], NULL, 10);
    size_t bytes = k_row_bytes(type, n);
    if (bytes == 0) return 2;
    void *blocks = xmalloc(bytes);
    float *y = xmalloc((size_t)n * sizeof *y);
    if (fread(blocks, 1, bytes, stdin) != bytes) return 1;
    k_dequant(type, blocks, y, n);
    bool ok = fwrite(y, sizeof *y, (size_t)n, stdout) == (size_t)n;
    xfree(blocks);
    xfree(y);
    return ok ? 0 : 1;
}
