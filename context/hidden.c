/* SPDX-License-Identifier: Apache-2.0 */
/* A lock around privacy.c: see hidden.h. */
#include "context/hidden.h"

#include <pthread.h>

#include "context/privacy.h"
#include "context/secret.h"
#include "engine/base/mem.h"

struct hidden {
    pthread_mutex_t lock;
    privacy *rules;
};

hidden *hidden_new(void) {
    hidden *h = xcalloc(1, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    h->rules = privacy_new();
    return h;
}

void hidden_free(hidden *h) {
    if (!h) return;
    privacy_free(h->rules);
    pthread_mutex_destroy(&h->lock);
    xfree(h);
}

void hidden_set(hidden *h, const str *roots, size_t n, str globs, bool respect_gitignore) {
    pthread_mutex_lock(&h->lock);
    privacy_set_rules(h->rules, globs, respect_gitignore);
    privacy_set_roots(h->rules, roots, n);
    pthread_mutex_unlock(&h->lock);
}

void hidden_look(void *ud) {
    hidden *h = ud;
    pthread_mutex_lock(&h->lock);
    privacy_refresh(h->rules);
    pthread_mutex_unlock(&h->lock);
}

bool hidden_is(void *ud, const char *path, bool folder) {
    hidden *h = ud;
    pthread_mutex_lock(&h->lock);
    bool is = privacy_hides(h->rules, str_of(path), folder)[0] != '\0';
    pthread_mutex_unlock(&h->lock);
    return is;
}

void hidden_mask(void *ud, str text, strbuf *out) {
    arena a;
    size_t n;
    UNUSED(ud);
    arena_init(&a);
    strbuf_add_str(out, secret_mask(text, &a, &n));
    arena_deinit(&a);
}
