/* SPDX-License-Identifier: Apache-2.0 */
/* YAML through libyaml's events.  Anchors are refused: they can make a small text a huge tree, and
 * no configuration of servers needs them.  Depth and number of values are bounded.
 * No state.  Thread: any. */
#include <math.h>
#include <yaml.h>

#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "mcp/config_tree.h"

typedef struct {
    yaml_parser_t parser;
    tree_places *places;
    size_t values;
    size_t *offset;
    err *e;
} reader;

static status fail(reader *r, const yaml_mark_t *at, status code, const char *sentence) {
    *r->offset = at->index;
    return err_set(r->e, code, "%s", sentence);
}

static status next_event(reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event)) {
        if (event->type != YAML_ALIAS_EVENT) return OK;
        yaml_mark_t at = event->start_mark;
        yaml_event_delete(event);
        return fail(r, &at, ERR_UNSUPPORTED, "anchors of YAML are not read here");
    }
    const char *why = r->parser.problem ? r->parser.problem : "it is no YAML";
    return fail(r, &r->parser.problem_mark, ERR_FORMAT, why);
}

/* A plain scalar that is not a text. */
static cJSON *plain_value(const char *text) {
    static const char *const nothing[] = {"", "~", "null", "Null", "NULL"};
    static const char *const yes[] = {"true", "True", "TRUE"};
    static const char *const no[] = {"false", "False", "FALSE"};
    double number;
    for (size_t i = 0; i < COUNTOF(nothing); i++)
        if (strcmp(text, nothing[i]) == 0) return cJSON_CreateNull();
    for (size_t i = 0; i < COUNTOF(yes); i++)
        if (strcmp(text, yes[i]) == 0) return cJSON_CreateTrue();
    for (size_t i = 0; i < COUNTOF(no); i++)
        if (strcmp(text, no[i]) == 0) return cJSON_CreateFalse();
    bool digits = strspn(text, "+-.0123456789eE") == strlen(text);
    /* What is larger than any number stays the text that it is: JSON has no infinity. */
    if (digits && str_to_f64(str_of(text), &number) && isfinite(number))
        return cJSON_CreateNumber(number);
    return NULL;
}

static cJSON *scalar(const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    cJSON *value = plain ? plain_value(text) : NULL;
    return value ? value : cJSON_CreateString(text);
}

static status read_value(reader *r, yaml_event_t *event, int depth, cJSON **out);

static status read_sequence(reader *r, int depth, cJSON *list) {
    for (;;) {
        yaml_event_t event;
        status s = next_event(r, &event);
        if (s != OK) return s;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return OK;
        }
        cJSON *item = NULL;
        s = read_value(r, &event, depth, &item);
        if (s != OK) return s;
        cJSON_AddItemToArray(list, item);
    }
}

static status read_mapping(reader *r, int depth, cJSON *object) {
    for (;;) {
        yaml_event_t event;
        status s = next_event(r, &event);
        if (s != OK) return s;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return OK;
        }
        yaml_mark_t at = event.start_mark;
        bool named = event.type == YAML_SCALAR_EVENT;
        char *key = named ? xstrdup((const char *)event.data.scalar.value) : NULL;
        yaml_event_delete(&event);
        if (!named) return fail(r, &at, ERR_UNSUPPORTED, "a key of YAML is a text here");
        cJSON *item = NULL;
        if (cJSON_GetObjectItemCaseSensitive(object, key))
            s = fail(r, &at, ERR_FORMAT, "a key is there twice");
        if (s == OK) s = next_event(r, &event);
        if (s == OK) s = read_value(r, &event, depth, &item);
        if (s == OK) {
            cJSON_AddItemToObject(object, key, item);
            vec_push(r->places, ((tree_place){item, at.index}));
        }
        xfree(key);
        if (s != OK) return s;
    }
}

/* Takes the event. */
static status read_value(reader *r, yaml_event_t *event, int depth, cJSON **out) {
    yaml_mark_t at = event->start_mark;
    yaml_event_type_t type = event->type;
    cJSON *value = type == YAML_SCALAR_EVENT           ? scalar(event)
                   : type == YAML_SEQUENCE_START_EVENT ? cJSON_CreateArray()
                                                       : cJSON_CreateObject();
    yaml_event_delete(event);
    status s = OK;
    if (depth >= LIMIT_JSON_DEPTH || ++r->values > LIMIT_MCP_CONFIG_VALUES)
        s = fail(r, &at, ERR_LIMIT, "it nests too deep, or has too many values");
    else if (type == YAML_SEQUENCE_START_EVENT)
        s = read_sequence(r, depth + 1, value);
    else if (type == YAML_MAPPING_START_EVENT)
        s = read_mapping(r, depth + 1, value);
    if (s == OK)
        *out = value;
    else
        cJSON_Delete(value);
    return s;
}

static status read_top(reader *r, cJSON **root) {
    for (;;) {
        yaml_event_t event;
        status s = next_event(r, &event);
        if (s != OK) return s;
        if (event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT) {
            yaml_event_delete(&event);
            continue;
        }
        if (event.type == YAML_MAPPING_START_EVENT) return read_value(r, &event, 0, root);
        yaml_mark_t at = event.start_mark;
        yaml_event_delete(&event);
        return fail(r, &at, ERR_FORMAT, "it has no keys at its top");
    }
}

/* libyaml counts characters. */
size_t yaml_offset(str text, size_t characters) {
    size_t at = 0;
    while (characters-- && at < text.len) {
        at++;
        while (at < text.len && ((uint8_t)text.ptr[at] & 0xC0) == 0x80)
            at++;
    }
    return at;
}

status yaml_parse(str text, cJSON **root, tree_places *places, size_t *offset, err *e) {
    reader r = {.places = places, .offset = offset, .e = e};
    *offset = 0;
    if (!yaml_parser_initialize(&r.parser))
        return err_set(e, ERR_LIMIT, "there is no memory for YAML");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.ptr, text.len);
    cJSON *value = NULL;
    status s = read_top(&r, &value);
    yaml_parser_delete(&r.parser);
    *offset = yaml_offset(text, *offset);
    if (s == OK)
        *root = value;
    else
        vec_clear(places);
    return s;
}
