/* SPDX-License-Identifier: Apache-2.0 */
/* Replays corpus files through a fuzz target without libFuzzer, so that gcc builds run them too. */
#include <dirent.h>
#include <sys/stat.h>

#include "engine/base/base.h"
#include "engine/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return -1;
    size_t cap = (size_t)8 << 20;
    uint8_t *data = xmalloc(cap);
    size_t n = fread(data, 1, cap, f);
    fclose(f);
    uint8_t *exact = xmalloc(n ? n : 1); /* so that ASan sees an over-read by one byte */
    memcpy(exact, data, n);
    xfree(data);
    LLVMFuzzerTestOneInput(exact, n);
    xfree(exact);
    return 1;
}

static int replay(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) return -1;
    if (!S_ISDIR(st.st_mode)) return replay_file(path);
    DIR *dir = opendir(path);
    if (!dir) return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
        if (replay_file(child) == 1) count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv) {
    int count = 0;
    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i]);
        if (n < 0) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        count += n;
    }
    printf("%d inputs replayed\n", count);
    return count > 0 ? 0 : 1;
}
