/* SPDX-License-Identifier: Apache-2.0 */
/* Error sentences: written once, cut to fit, safe to print on any terminal.  Thread: any. */
#include "engine/base/status.h"

#include <stdarg.h>

#include "engine/base/log.h"

/* Outside bytes end up in sentences (file names, keys): no escape sequence may reach a terminal. */
static void clean(char *text) {
    for (unsigned char *p = (unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) *p = '?';
    }
}

status err_set(err *e, status code, const char *fmt, ...) {
    if (!e) return code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    clean(e->text);
    return code;
}

status err_prefix(err *e, status code, const char *fmt, ...) {
    if (!e) return code;
    char rest[sizeof e->text];
    memcpy(rest, e->text, sizeof rest);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : MIN((size_t)n, sizeof e->text - 1);
    snprintf(e->text + used, sizeof e->text - used, ": %s", rest);
    clean(e->text);
    return code;
}

const char *status_name(status s) {
    switch (s) {
    case OK: return "ok";
    case ERR_IO: return "io";
    case ERR_FORMAT: return "format";
    case ERR_UNSUPPORTED: return "unsupported";
    case ERR_LIMIT: return "limit";
    case ERR_NOT_FOUND: return "not-found";
    case ERR_USAGE: return "usage";
    case ERR_DEVICE: return "device";
    case ERR_CANCELLED: return "cancelled";
    case ERR_LATE: return "late";
    }
    ASSERT(0);
}

void assert_failed(const char *cond, const char *file, int line) {
    fprintf(stderr, "inlined: bug: %s does not hold at %s:%d; the last log lines follow\n", cond,
            file, line);
    log_dump_ring(stderr);
    abort();
}
