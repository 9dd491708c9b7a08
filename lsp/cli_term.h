/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The terminal: is it one, colours, a line of progress, Ctrl-C, and writing the result. */
#include <cjson/cJSON.h>

#include "engine/base/status.h"
#include "engine/base/str.h"

typedef enum { COLOUR_BOLD, COLOUR_DIM, COLOUR_RED, COLOUR_GREEN, COLOUR_YELLOW } colour;
bool term_has_colour(int fd); /* a terminal that is not dumb, and NO_COLOR is not set */
/* Appends text in a colour, or plain. */
void term_paint(strbuf *out, bool colours, colour c, const char *text);

/* One line on stderr that is drawn over itself on a terminal, and a few plain lines elsewhere. */
typedef struct {
    bool terminal;
    const char *label; /* what the last call showed */
    double started_ms, shown_ms;
    uint64_t first; /* `done` at the start of this label */
    int tenth;
} meter;
void meter_init(meter *p);
/* `all` 0: unknown.  Bytes; a bar with MB and the time left. */
void meter_bytes(meter *p, const char *label, uint64_t done, uint64_t all);
/* A fraction from 0 to 1; shown on a terminal only. */
void meter_part(meter *p, const char *label, double part);
void meter_end(meter *p); /* wipes the line */

/* SIGINT, SIGTERM and SIGHUP are held back from now on, in threads started later too. */
void interrupt_hold(void);
/* True once for each that came since; never waits. */
bool interrupt_take(void);

/* Writes to stdout and checks that it arrived (a full disk, a closed pipe). */
status term_write(str text, err *e) MUST_USE;
/* One line of JSON; takes `json`. */
status term_write_json(cJSON *json, err *e) MUST_USE;
