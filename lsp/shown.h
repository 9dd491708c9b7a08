/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What is on the screen in one document, and what becomes of it, seen from the edits alone.  Pure:
 * no I/O, no clock.  Editors tell of acceptance in different ways and of partial acceptance mostly
 * not at all, but every one of them changes the document.  Thread: loop. */
#include "engine/base/str.h"

#define SHOWN_MAX 5         /* candidates of one answer */
#define SHOWN_ID_BYTES 32   /* with NUL */
#define SHOWN_EDGE_BYTES 64 /* text around the cursor by which the place is known again */

typedef struct {
    char id[SHOWN_ID_BYTES];
    str text;        /* what would stand behind the anchor, with the document's line ends */
    size_t swallows; /* bytes behind the anchor that it replaces when it is whole */
} shown_item;

/* Zeroed: nothing is shown. */
typedef struct {
    shown_item items[SHOWN_MAX];
    char *texts[SHOWN_MAX]; /* own the items' texts */
    size_t count;           /* 0: nothing is shown */
    size_t anchor;          /* byte offset where the items begin */
    size_t tail;            /* bytes of the document behind the anchor when they were shown */
    size_t typed;           /* bytes of items[at] that stand there by now */
    size_t closers;         /* bytes behind them that the editor has closed by itself */
    size_t at; /* the item that the text follows; the first as long as it follows all */
    char before[SHOWN_EDGE_BYTES], after[SHOWN_EDGE_BYTES];
    size_t before_len, after_len;
} shown;

typedef enum {
    SHOWN_SAME,      /* nothing new */
    SHOWN_TYPED,     /* along it, character by character */
    SHOWN_PARTLY,    /* a word or a line of it came in one piece */
    SHOWN_ACCEPTED,  /* its whole rest came in one piece */
    SHOWN_TYPED_OUT, /* its end was reached by typing */
    SHOWN_DELETED,   /* some of it was taken back */
    SHOWN_LEFT,      /* the text went another way */
} shown_event;

/* Items appear at `offset` of `document`.  False, and nothing changes, when they are what is left
 * of the item that is shown already. */
bool shown_show(shown *v, str document, size_t offset, const shown_item *items, size_t n);
/* Bytes [from, to) are being replaced by `added` bytes. */
void shown_edit(shown *v, size_t from, size_t to, size_t added);
/* The document is `document` after a message of the editor.  ACCEPTED, TYPED_OUT and LEFT end it;
 * v->items[v->at] stays readable until the next shown_show or shown_clear. */
shown_event shown_look(shown *v, str document);
/* The item with this id, or NULL; also of one that has ended last. */
const shown_item *shown_find(const shown *v, str id);
void shown_clear(shown *v); /* frees */
