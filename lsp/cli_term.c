/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal.  stdout carries results alone and is written here only; progress goes to stderr and
 * never into a file as control characters.
 *
 * Ctrl-C needs no handler: the signals are blocked and asked for (interrupt_take) by whoever waits,
 * so there is no global flag and no code that runs in signal context.  Thread: main.
 */
#include "lsp/cli_term.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/mem.h"

#define REDRAW_MS 100.0
#define BAR_CELLS 24

bool term_has_colour(int fd) {
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    return isatty(fd) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

void term_paint(strbuf *out, bool colours, colour c, const char *text) {
    static const char *const codes[] = {
        [COLOUR_BOLD] = "1",   [COLOUR_DIM] = "2",     [COLOUR_RED] = "31",
        [COLOUR_GREEN] = "32", [COLOUR_YELLOW] = "33",
    };
    if (colours)
        strbuf_addf(out, "\033[%sm%s\033[0m", codes[c], text);
    else
        strbuf_add_str(out, str_of(text));
}

static int term_columns(void) {
    struct winsize w;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20) return w.ws_col;
    return 80;
}

void meter_init(meter *p) {
    *p = (meter){.terminal = isatty(STDERR_FILENO) != 0, .tenth = -1};
}

/* True when there is something new to show. */
static bool meter_step(meter *p, const char *label, uint64_t done, double part) {
    double now = clock_ms();
    if (p->label != label) {
        p->label = label;
        p->started_ms = now;
        p->first = done;
        p->shown_ms = 0;
        p->tenth = -1;
    }
    if (p->terminal) {
        if (p->shown_ms != 0 && part < 1 && now - p->shown_ms < REDRAW_MS) return false;
    } else {
        int tenth = (int)(part * 4);
        if (tenth == p->tenth) return false;
        p->tenth = tenth;
    }
    p->shown_ms = now;
    return true;
}

static void add_time_left(strbuf *line, const meter *p, uint64_t done, uint64_t all) {
    double seconds = (p->shown_ms - p->started_ms) / 1000;
    if (done <= p->first || seconds < 1 || done >= all) return;
    double left = seconds * (double)(all - done) / (double)(done - p->first);
    if (left >= 90)
        strbuf_addf(line, "  %.0f min left", left / 60);
    else
        strbuf_addf(line, "  %.0f s left", left + 0.5);
}

static void draw(const meter *p, const strbuf *line) {
    if (!p->terminal) {
        fprintf(stderr, "inlined: %s\n", line->ptr);
        return;
    }
    str shown = str_sub(strbuf_str(line), 0, (size_t)term_columns() - 1);
    fprintf(stderr, "\r%.*s\033[K", STR_ARG(shown));
    fflush(stderr);
}

static void add_bar(strbuf *line, double part) {
    strbuf_add_char(line, '[');
    for (int i = 0; i < BAR_CELLS; i++)
        strbuf_add_char(line, i < (int)(part * BAR_CELLS + 0.5) ? '#' : '.');
    strbuf_add_char(line, ']');
}

void meter_bytes(meter *p, const char *label, uint64_t done, uint64_t all) {
    double part = all ? (double)MIN(done, all) / (double)all : 0;
    if (!meter_step(p, label, done, part)) return;
    strbuf line;
    strbuf_init(&line, 512);
    strbuf_addf(&line, "%s ", label);
    if (p->terminal && all) {
        add_bar(&line, part);
        strbuf_add_char(&line, ' ');
    }
    if (all) {
        strbuf_addf(&line, "%3.0f %%  %.0f of %.0f MB", part * 100, (double)done / 1e6,
                    (double)all / 1e6);
        add_time_left(&line, p, done, all);
    } else if (done) {
        strbuf_addf(&line, "%.0f MB", (double)done / 1e6);
    }
    draw(p, &line);
    strbuf_deinit(&line);
}

void meter_part(meter *p, const char *label, double part) {
    if (!p->terminal || !meter_step(p, label, 0, part)) return;
    strbuf line;
    strbuf_init(&line, 512);
    strbuf_addf(&line, "%s ", label);
    add_bar(&line, part);
    strbuf_addf(&line, " %3.0f %%", part * 100);
    draw(p, &line);
    strbuf_deinit(&line);
}

void meter_end(meter *p) {
    if (p->terminal && p->label) fprintf(stderr, "\r\033[K");
    meter_init(p);
}

static void interrupt_set(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void interrupt_hold(void) {
    sigset_t set;
    interrupt_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool interrupt_take(void) {
    sigset_t set;
    interrupt_set(&set);
    const struct timespec now = {0, 0};
    return sigtimedwait(&set, NULL, &now) > 0;
}

status term_write(str text, err *e) {
    size_t done = 0;
    while (done < text.len) {
        ssize_t n = write(STDOUT_FILENO, text.ptr + done, text.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return err_set(e, ERR_IO, "cannot write the result: %s", strerror(errno));
        done += (size_t)n;
    }
    return OK;
}

status term_write_json(cJSON *json, err *e) {
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    if (!text) return err_set(e, ERR_LIMIT, "not enough memory for the result");
    status s = term_write(str_of(text), e);
    if (s == OK) s = term_write(STR("\n"), e);
    cJSON_free(text);
    return s;
}
