/* SPDX-License-Identifier: Apache-2.0 */
/* See memory.h.  A call reads the whole file, changes the graph, and writes it whole (temporary
 * file, rename) under a lock that keeps other processes of ours out.  Lines that are neither an
 * entity nor a relation are an error: rewriting the file would lose them. */
#include "mcp/memory.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/rpc.h"
#include "mcp/state_file.h"

typedef struct {
    cJSON *entities, *relations; /* arrays, as read_graph gives them */
} graph;

#define GET(object, name) cJSON_GetObjectItemCaseSensitive(object, name)

static const char *text_of(const cJSON *object, const char *name) {
    const cJSON *m = GET(object, name);
    return cJSON_IsString(m) ? m->valuestring : "";
}

/* ---- the file -------------------------------------------------------------------------------- */

static status take_line(graph *g, str line, err *e) {
    cJSON *json = NULL;
    char *copy = xstrndup(line.ptr, line.len);
    status s = rpc_parse(copy, line.len, &json, e);
    xfree(copy);
    if (s) return s;
    bool entity = !strcmp(text_of(json, "type"), "entity");
    if (!entity && strcmp(text_of(json, "type"), "relation")) {
        cJSON_Delete(json);
        return err_set(e, ERR_FORMAT, "a line is neither an entity nor a relation");
    }
    cJSON_DeleteItemFromObjectCaseSensitive(json, "type");
    cJSON_AddItemToArray(entity ? g->entities : g->relations, json);
    return OK;
}

static status graph_read(graph *g, const char *file, err *e) {
    strbuf text;
    strbuf_init(&text, LIMIT_OWN_MEMORY_BYTES + 1);
    *g = (graph){cJSON_CreateArray(), cJSON_CreateArray()};
    status s = file_read(file, LIMIT_OWN_MEMORY_BYTES, &text, e);
    if (s == ERR_NOT_FOUND) s = OK;
    str rest = strbuf_str(&text), line;
    while (!s && str_split(&rest, '\n', &line))
        if (str_trim(line).len) s = take_line(g, line, e);
    if (s) err_prefix(e, s, "the memory in %.150s", file);
    strbuf_deinit(&text);
    return s;
}

static void graph_free(graph *g) {
    cJSON_Delete(g->entities);
    cJSON_Delete(g->relations);
}

static void write_kind(FILE *to, const cJSON *all, const char *kind) {
    const cJSON *item, *m;
    cJSON_ArrayForEach(item, all) {
        cJSON *line = cJSON_CreateObject();
        cJSON_AddStringToObject(line, "type", kind);
        cJSON_ArrayForEach(m, item)
            cJSON_AddItemToObject(line, m->string, cJSON_Duplicate(m, true));
        char *text = cJSON_PrintUnformatted(line);
        fprintf(to, "%s\n", text);
        cJSON_free(text);
        cJSON_Delete(line);
    }
}

static status graph_write(const graph *g, const char *file, err *e) {
    strbuf path;
    strbuf_init(&path, LIMIT_PATH_BYTES);
    strbuf_addf(&path, "%s.new", file);
    unlink(path.ptr);
    FILE *to = fopen(path.ptr, "wxe");
    bool good = to != NULL;
    if (good) {
        good = fchmod(fileno(to), 0600) == 0;
        write_kind(to, g->entities, "entity");
        write_kind(to, g->relations, "relation");
        good &= fflush(to) == 0 && fsync(fileno(to)) == 0;
        good &= fclose(to) == 0;
    }
    good = good && rename(path.ptr, file) == 0;
    status s = good ? OK
                    : err_set(e, ERR_IO, "the memory cannot be written to %.150s: %s", file,
                              strerror(errno));
    strbuf_deinit(&path);
    return s;
}

/* ---- finding --------------------------------------------------------------------------------- */

static cJSON *find_entity(const graph *g, const char *name) {
    cJSON *entity;
    cJSON_ArrayForEach(entity,
                       g->entities) if (!strcmp(text_of(entity, "name"), name)) return entity;
    return NULL;
}

static bool same_relation(const cJSON *a, const cJSON *b) {
    return !strcmp(text_of(a, "from"), text_of(b, "from")) &&
           !strcmp(text_of(a, "to"), text_of(b, "to")) &&
           !strcmp(text_of(a, "relationType"), text_of(b, "relationType"));
}

static bool has_text(const cJSON *list, const char *text) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) if (cJSON_IsString(item) &&
                                       !strcmp(item->valuestring, text)) return true;
    return false;
}

static bool mentions(const cJSON *entity, const char *query) {
    const cJSON *item;
    str word = str_of(query);
    bool found = str_contains_ignore_case(str_of(text_of(entity, "name")), word) ||
                 str_contains_ignore_case(str_of(text_of(entity, "entityType")), word);
    cJSON_ArrayForEach(item, GET(entity, "observations")) found |=
        cJSON_IsString(item) && str_contains_ignore_case(str_of(item->valuestring), word);
    return found;
}

/* The entities that are meant (all when both are NULL), and the relations that touch them. */
static cJSON *part(const graph *g, const char *query, const cJSON *names) {
    cJSON *out = cJSON_CreateObject(), *entities = cJSON_AddArrayToObject(out, "entities");
    cJSON *relations = cJSON_AddArrayToObject(out, "relations");
    graph kept = {entities, relations};
    const cJSON *item;
    bool all = !query && !names;
    cJSON_ArrayForEach(item,
                       g->entities) if (all || (query ? mentions(item, query)
                                                      : has_text(names, text_of(item, "name"))))
        cJSON_AddItemToArray(entities, cJSON_Duplicate(item, true));
    cJSON_ArrayForEach(item, g->relations) if (all || find_entity(&kept, text_of(item, "from")) ||
                                               find_entity(&kept, text_of(item, "to")))
        cJSON_AddItemToArray(relations, cJSON_Duplicate(item, true));
    return out;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Each gives what it added, or NULL with a sentence. */
static cJSON *create_entities(graph *g, const cJSON *arguments) {
    cJSON *added = cJSON_CreateArray();
    const cJSON *item;
    cJSON_ArrayForEach(item, GET(arguments, "entities")) {
        if (!*text_of(item, "name") || find_entity(g, text_of(item, "name"))) continue;
        cJSON_AddItemToArray(g->entities, cJSON_Duplicate(item, true));
        cJSON_AddItemToArray(added, cJSON_Duplicate(item, true));
    }
    return added;
}

static cJSON *create_relations(graph *g, const cJSON *arguments) {
    cJSON *added = cJSON_CreateArray();
    const cJSON *item, *old;
    cJSON_ArrayForEach(item, GET(arguments, "relations")) {
        bool known = false;
        cJSON_ArrayForEach(old, g->relations) known |= same_relation(old, item);
        if (known) continue;
        cJSON_AddItemToArray(g->relations, cJSON_Duplicate(item, true));
        cJSON_AddItemToArray(added, cJSON_Duplicate(item, true));
    }
    return added;
}

static cJSON *add_observations(graph *g, const cJSON *arguments, err *e) {
    cJSON *added = cJSON_CreateArray();
    const cJSON *item, *text;
    cJSON_ArrayForEach(item, GET(arguments, "observations")) {
        cJSON *entity = find_entity(g, text_of(item, "entityName"));
        if (!entity) {
            (void)err_set(e, ERR_NOT_FOUND, "there is no entity \"%.100s\"",
                          text_of(item, "entityName"));
            cJSON_Delete(added);
            return NULL;
        }
        cJSON *list = GET(entity, "observations");
        if (!cJSON_IsArray(list)) continue;
        cJSON_ArrayForEach(text, GET(item, "contents")) {
            if (!cJSON_IsString(text) || has_text(list, text->valuestring)) continue;
            cJSON_AddItemToArray(list, cJSON_Duplicate(text, true));
            cJSON_AddItemToArray(added, cJSON_Duplicate(text, true));
        }
    }
    return added;
}

static void remove_if(cJSON *list, bool (*gone)(const cJSON *item, const cJSON *what),
                      const cJSON *what) {
    for (int i = cJSON_GetArraySize(list); i-- > 0;)
        if (gone(cJSON_GetArrayItem(list, i), what)) cJSON_DeleteItemFromArray(list, i);
}

static bool is_named(const cJSON *entity, const cJSON *names) {
    return has_text(names, text_of(entity, "name"));
}

static bool touches(const cJSON *relation, const cJSON *names) {
    return has_text(names, text_of(relation, "from")) || has_text(names, text_of(relation, "to"));
}

static bool is_text_of(const cJSON *item, const cJSON *texts) {
    return cJSON_IsString(item) && has_text(texts, item->valuestring);
}

static bool is_relation_of(const cJSON *relation, const cJSON *list) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) if (same_relation(relation, item)) return true;
    return false;
}

static cJSON *delete_some(graph *g, const char *tool, const cJSON *arguments) {
    const cJSON *item, *names = GET(arguments, "entityNames");
    if (!strcmp(tool, "delete_entities")) {
        remove_if(g->entities, is_named, names);
        remove_if(g->relations, touches, names);
    } else if (!strcmp(tool, "delete_relations")) {
        remove_if(g->relations, is_relation_of, GET(arguments, "relations"));
    } else {
        cJSON_ArrayForEach(item, GET(arguments, "deletions")) {
            cJSON *entity = find_entity(g, text_of(item, "entityName"));
            if (entity)
                remove_if(GET(entity, "observations"), is_text_of, GET(item, "observations"));
        }
    }
    return cJSON_CreateString("deleted");
}

/* ---- calls ----------------------------------------------------------------------------------- */

static cJSON *change(graph *g, const char *tool, const cJSON *arguments, err *e) {
    if (!strcmp(tool, "create_entities")) return create_entities(g, arguments);
    if (!strcmp(tool, "create_relations")) return create_relations(g, arguments);
    if (!strcmp(tool, "add_observations")) return add_observations(g, arguments, e);
    return delete_some(g, tool, arguments);
}

status memory_call(const char *file, const char *tool, const cJSON *arguments, cJSON **result,
                   err *e) {
    graph g;
    int lock = state_lock(file);
    status s = graph_read(&g, file, e);
    *result = NULL;
    if (!s && !strcmp(tool, "read_graph")) {
        *result = part(&g, NULL, NULL);
    } else if (!s && !strcmp(tool, "search_nodes")) {
        *result = part(&g, text_of(arguments, "query"), NULL);
    } else if (!s && !strcmp(tool, "open_nodes")) {
        *result = part(&g, NULL, GET(arguments, "names"));
    } else if (!s) {
        *result = change(&g, tool, arguments, e);
        s = *result ? graph_write(&g, file, e) : ERR_NOT_FOUND;
    }
    if (s) {
        cJSON_Delete(*result);
        *result = NULL;
    }
    graph_free(&g);
    state_unlock(lock);
    return s;
}
