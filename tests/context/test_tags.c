/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions by tags query, in every language that has a grammar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "context/tags.h"
#include "engine/base/limits.h"

#define BUDGET_US 10000000

/* clang-format off */
static const struct {
    const char *path, *text;
    const char *want; /* "kind name [in parent]: signature" lines */
} cases[] = {
    {"a.py", "LIMIT = 3\nclass Store(Base):\n    kind: int = 0\n    def get(self, id: int) -> User:\n"
             "        return 1\n\nasync def main(\n    a,\n    b,\n):\n    pass\n",
     "constant LIMIT: LIMIT = 3\n"
     "type Store: class Store(Base):|    kind: int = 0|    def get(self, id: int) -> User:|        return 1\n"
     "field kind in Store: kind: int = 0\n"
     "function get in Store: def get(self, id: int) -> User:\n"
     "function main: async def main( a, b, ):\n"},
    {"a.c", "#define MAX_ROWS 10\n#define SQ(x) ((x) * (x))\nstruct point {\n    int x, y;\n};\n"
            "typedef unsigned id;\nenum { RED, GREEN };\nint area(const struct point *p);\n"
            "static char *name_of(int i) {\n    return 0;\n}\nint level = 3;\n",
     "constant MAX_ROWS: #define MAX_ROWS 10\n"
     "macro SQ: #define SQ(x) ((x) * (x))\n"
     "type point: struct point {|    int x, y;|}\n"
     "field x in point: int x, y;\n"
     "field y in point: int x, y;\n"
     "type id: typedef unsigned id;\n"
     "constant RED: RED\n"
     "constant GREEN: GREEN\n"
     "prototype area: int area(const struct point *p);\n"
     "function name_of: static char *name_of(int i)\n"
     "variable level: int level = 3;\n"},
    {"a.cpp", "namespace n {\nclass Shape : public Base {\n public:\n  virtual double area() const = 0;\n"
              "  int sides() { return 3; }\n private:\n  int n_;\n};\ndouble Shape::area() const { return 1; }\n"
              "template <class T> T most(T a, T b) { return a; }\nusing Id = int;\n}\n",
     "type Shape: class Shape : public Base {| public:|  virtual double area() const = 0;|"
     "  int sides() { return 3; }| private:|  int n_;|}\n"
     "prototype area in Shape: virtual double area() const = 0;\n"
     "function sides in Shape: int sides()\n"
     "field n_ in Shape: int n_;\n"
     "function area: double Shape::area() const\n"
     "function most: T most(T a, T b)\n"
     "type Id: using Id = int;\n"},
    {"a.js", "class Queue {\n  size = 0;\n  push(item) { return 1; }\n}\nfunction load(path) { }\n"
             "export const sum = (a, b) => a + b;\nconst LIMIT = 3;\nexports.go = function (x) { };\n",
     "type Queue: class Queue {|  size = 0;|  push(item) { return 1; }|}\n"
     "field size in Queue: size = 0\n"
     "function push in Queue: push(item)\n"
     "function load: function load(path)\n"
     "function sum: sum = (a, b) =>\n"
     "variable LIMIT: LIMIT = 3\n"
     "function go: exports.go = function (x)\n"},
    {"a.ts", "export interface User {\n  id: number;\n  greet(name: string): void;\n}\ntype Id = string;\n"
             "enum Color { Red }\nabstract class A<T> {\n  private n: T;\n  abstract go(): void;\n"
     "  run(x: T): T { return x; }\n}\n",
     "type User: interface User {|  id: number;|  greet(name: string): void;|}\n"
     "field id in User: id: number\n"
     "prototype greet in User: greet(name: string): void\n"
     "type Id: type Id = string;\n"
     "type Color: enum Color { Red }\n"
     "type A: abstract class A<T> {|  private n: T;|  abstract go(): void;|  run(x: T): T { return x; }|}\n"
     "field n in A: private n: T\n"
     "prototype go in A: abstract go(): void\n"
     "function run in A: run(x: T): T\n"},
    {"a.tsx", "export function Button(p: Props) { return <b/>; }\n",
     "function Button: function Button(p: Props)\n"},
    {"a.go", "package a\nconst Max = 3\ntype User struct {\n\tName string\n}\n"
             "func (u *User) Greet(to string) error {\n\treturn nil\n}\nfunc New() *User { return nil }\n"
             "type Store interface {\n\tGet(id int) User\n}\nvar level = 2\n",
     "constant Max: Max = 3\n"
     "type User: User struct {|\tName string|}\n"
     "field Name in User: Name string\n"
     "function Greet: func (u *User) Greet(to string) error\n"
     "function New: func New() *User\n"
     "type Store: Store interface {|\tGet(id int) User|}\n"
     "prototype Get in Store: Get(id int) User\n"
     "variable level: level = 2\n"},
    {"a.rs", "pub struct P { x: i32 }\npub enum E { A, B(i32) }\npub trait T { fn go(&self) -> u8; }\n"
             "impl P {\n    pub fn new(x: i32) -> Self { P { x } }\n}\nmacro_rules! m { () => {} }\n"
     "const N: usize = 3;\n",
     "type P: pub struct P { x: i32 }\n"
     "field x: x: i32\n"
     "type E: pub enum E { A, B(i32) }\n"
     "field A: A\n"
     "field B: B(i32)\n"
     "type T: pub trait T { fn go(&self) -> u8; }\n"
     "prototype go: fn go(&self) -> u8;\n"
     "function new: pub fn new(x: i32) -> Self\n"
     "macro m: macro_rules! m { () => {} }\n"
     "constant N: const N: usize = 3;\n"},
    {"A.java", "class Cart {\n  int total;\n  Cart(int n) { }\n"
     "  public int add(Item item) throws E { return 1; }\n}\n"
               "enum Kind { ONE }\nrecord Pair(int a, int b) { }\n",
     "type Cart: class Cart {|  int total;|  Cart(int n) { }|  public int add(Item item) throws E { return 1; }|}\n"
     "field total in Cart: int total;\n"
     "function Cart in Cart: Cart(int n)\n"
     "function add in Cart: public int add(Item item) throws E\n"
     "type Kind: enum Kind { ONE }\n"
     "constant ONE: ONE\n"
     "type Pair: record Pair(int a, int b) { }\n"},
    {"a.cs", "namespace N {\n  public class Cart {\n    public int Total { get; set; }\n    int n;\n"
             "    public int Add(Item i) { return 1; }\n  }\n}\n",
     "type Cart: public class Cart {|    public int Total { get; set; }|    int n;|"
     "    public int Add(Item i) { return 1; }|  }\n"
     "field Total in Cart: public int Total { get; set; }\n"
     "field n in Cart: int n;\n"
     "function Add in Cart: public int Add(Item i)\n"},
    {"a.rb", "module M\n  class Cart < Base\n    MAX = 3\n    def add(item)\n      1\n    end\n"
             "    def self.make; end\n  end\nend\n",
     "type M: module M|  class Cart < Base|    MAX = 3|    def add(item)|      1|    end|"
     "    def self.make; end|  end|end\n"
     "type Cart in M: class Cart < Base|    MAX = 3|    def add(item)|      1|    end|"
     "    def self.make; end|  end\n"
     "constant MAX in Cart: MAX = 3\n"
     "function add in Cart: def add(item)\n"
     "function make in Cart: def self.make; end\n"},
    {"a.php", "<?php\nclass Cart {\n  private $total;\n  const MAX = 3;\n"
     "  public function add(Item $i): int { return 1; }\n}\n"
              "function load($p) { }\n",
     "type Cart: class Cart {|  private $total;|  const MAX = 3;|"
     "  public function add(Item $i): int { return 1; }|}\n"
     "field total in Cart: $total\n"
     "constant MAX in Cart: MAX = 3\n"
     "function add in Cart: public function add(Item $i): int\n"
     "function load: function load($p)\n"},
    {"a.lua", "local function load(path)\n  x()\nend\nfunction M.save(x)\nend\nfunction M:go(y)\nend\n"
     "run = function(z) end\n",
     "function load: local function load(path)\n"
     "function save: function M.save(x) end\n"
     "function go: function M:go(y) end\n"
     "function run: run = function(z) end\n"},
    {"a.sh", "LEVEL=3\nbuild() {\n  x=1\n}\nexport ROOT=/\n",
     "variable LEVEL: LEVEL=3\nfunction build: build()\nvariable ROOT: ROOT=/\n"},
    {"a.json", "{\"name\": \"x\", \"deep\": {\"no\": 1}}\n",
     "field name: \"name\": \"x\"\nfield deep: \"deep\": {\"no\": 1}\n"},
    {"a.html", "<div id=\"menu\" class=\"big\"></div>\n", "field menu: id=\"menu\"\n"},
    {"a.css", ".card { color: red }\n#top { --gap: 2px; }\n@keyframes spin { }\n",
     "type card: .card\ntype top: #top\nvariable --gap: --gap: 2px;\ntype spin: @keyframes spin { }\n"},
    {"a.yaml", "name: x\njobs:\n  build: 1\nbase: &common\n  a: 1\n",
     "field name: name: x\nfield jobs: jobs:\nfield base: base: &common\nvariable common: &common\n"},
};
/* clang-format on */

static void add_line(strbuf *out, const tag *tags, const tag *t) {
    strbuf_addf(out, "%s %.*s", tag_kind_name((tag_kind)t->kind), STR_ARG(t->name));
    if (t->parent != TAG_NO_PARENT)
        strbuf_addf(out, " in %.*s", STR_ARG(tags[t->parent].name));
    strbuf_add_str(out, STR(": "));
    for (size_t i = 0; i < t->signature.len; i++)
        strbuf_add_char(out, t->signature.ptr[i] == '\n' ? '|' : t->signature.ptr[i]);
    strbuf_add_char(out, '\n');
}

static void definitions(void **state) {
    UNUSED(state);
    tagger *t = tagger_new();
    int wrong = 0;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const language *l = language_find(str_of(cases[i].path), STR(""));
        if (!language_grammar(l)) {
            print_message("left out: %s, whose grammar is not in this build\n", cases[i].path);
            continue;
        }
        arena a;
        arena_init(&a);
        tag *tags;
        size_t n = tagger_find(t, l, str_of(cases[i].text), BUDGET_US, &a, &tags);
        strbuf got;
        strbuf_init(&got, 65536);
        for (size_t k = 0; k < n; k++)
            add_line(&got, tags, &tags[k]);
        if (!got.ptr || strcmp(got.ptr, cases[i].want) != 0) {
            print_error("%s: got\n%s\nwant\n%s", cases[i].path, got.ptr ? got.ptr : "",
                        cases[i].want);
            wrong++;
        }
        strbuf_deinit(&got);
        arena_deinit(&a);
    }
    tagger_free(t);
    assert_int_equal(wrong, 0);
}

/* Every language of the table that has a grammar has a case above, so its query compiles. */
static void every_grammar_has_a_case(void **state) {
    UNUSED(state);
    for (size_t g = 0; g < grammars_count; g++) {
        bool found = false;
        for (size_t i = 0; i < COUNTOF(cases) && !found; i++) {
            const language *l = language_find(str_of(cases[i].path), STR(""));
            found = strcmp(l->name, grammars[g].name) == 0;
        }
        if (!found) fail_msg("no case for %s", grammars[g].name);
    }
}

static void bounds(void **state) {
    UNUSED(state);
    const language *l = language_find(STR("a.c"), STR(""));
    if (!language_grammar(l)) skip();
    tagger *t = tagger_new();
    arena a;
    arena_init(&a);
    strbuf text;
    strbuf_init(&text, 8u << 20);
    for (int i = 0; i < LIMIT_TAGS_FILE + 500; i++)
        strbuf_addf(&text, "int f%d(void);\n", i);
    tag *tags;
    size_t n = tagger_find(t, l, strbuf_str(&text), BUDGET_US, &a, &tags);
    assert_int_equal(n, LIMIT_TAGS_FILE);
    assert_int_equal(tagger_find(t, l, strbuf_str(&text), 0, &a, &tags), 0); /* no time */
    assert_null(tags);
    strbuf_clear(&text);
    strbuf_add_str(&text, STR("int long_one("));
    for (int i = 0; i < 400; i++)
        strbuf_add_str(&text, STR("int \xC3\xA4, "));
    strbuf_add_str(&text, STR("int z) {\n}\n"));
    n = tagger_find(t, l, strbuf_str(&text), BUDGET_US, &a, &tags);
    assert_int_equal(n, 1);
    assert_true(tags[0].signature.len > 100 && tags[0].signature.len < 300);
    strbuf_deinit(&text);
    arena_deinit(&a);
    tagger_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions),
        cmocka_unit_test(every_grammar_has_a_case),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
