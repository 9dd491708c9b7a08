/* SPDX-License-Identifier: Apache-2.0 */
/* context/refactor.h: cases by hand, and refusals.  What real code says of it:
 * test_refactor_corpus.py and test_refactor_samples.py. */
#include "tests/context/fixture.h"
#include "tests/context/refactor_all.h"

typedef struct {
    const char *path, *text; /* "@@" around what is selected */
    const char *want;        /* NULL: refused */
} refactor_case;

/* clang-format off */
static const refactor_case variables[] = {
    {"a.py", "def f(a):\n    return g(@@a.size@@ + 1)\n",
     "def f(a):\n    size_2 = a.size\n    return g(size_2 + 1)\n"},
    {"a.py", "x = @@load_user(3)@@.name\n", "user = load_user(3)\nx = user.name\n"},
    {"a.py", "if @@a + b@@ > 3:\n    pass\n", "value = a + b\nif value > 3:\n    pass\n"},
    {"a.py", "while @@a + b@@ > 3:\n    pass\n", NULL},
    {"a.py", "x = a and @@b + c@@\n", NULL},
    {"a.py", "x = f() + @@b.c@@\n", NULL},
    {"a.py", "f(@@'a'\n  'b'@@)\n", NULL}, /* its lines would end without f's bracket */
    {"a.py", "f(@@a +\n  b@@)\n", NULL},
    {"a.py", "f(@@g(a,\n    b)@@)\n", "value = g(a,\n    b)\nf(value)\n"},
    {"a.py", "x = f() + @@3 * 4@@\n", "value = 3 * 4\nx = f() + value\n"},
    {"a.py", "x = [@@a + i@@ for i in b]\n", NULL},
    {"a.py", "x = lambda i: @@i + 1@@\n", NULL},
    {"a.py", "@@a.b@@ = 3\n", NULL},
    {"a.py", "@@f(3)@@\n", NULL},
    {"a.py", "def f(x=@@1 + 2@@):\n    pass\n", NULL},
    {"a.py", "if a:\n    pass\nelif @@b + 1@@:\n    pass\n", NULL},
    {"a.py", "x = 1; y = @@x + 2@@\n", NULL},
    {"a.py", "for i in @@items[1:]@@:\n    pass\n", "value = items[1:]\nfor i in value:\n    pass\n"},
    {"a.py", "x = @@a.b@@()\n", NULL},
    {"a.js", "function f(a) {\n  return g(@@a.size * 2@@);\n}\n",
     "function f(a) {\n  const value = a.size * 2;\n  return g(value);\n}\n"},
    {"a.js", "if (c) g(@@a + 1@@);\n", NULL},
    {"a.js", "if (c) {\n} else if (@@a + 1@@) {\n}\n", NULL},
    {"a.js", "for (let i = 0; i < @@a + 1@@; i++) {\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(a int) int {\n\treturn g(@@a * 2@@)\n}\n",
     "package p\n\nfunc f(a int) int {\n\tvalue := a * 2\n\treturn g(value)\n}\n"},
    {"a.go", "package p\n\nfunc f() {\n\tif x := g(); @@x + 1@@ > 2 {\n\t}\n}\n", NULL},
    {"a.c", "static char *load_name(int i);\nvoid f(int i) {\n    puts(@@load_name(i)@@);\n}\n",
     "static char *load_name(int i);\nvoid f(int i) {\n    char *name = load_name(i);\n    puts(name);\n}\n"},
    {"a.c", "void f(int i) {\n    g(@@i * 2@@);\n}\n",
     "void f(int i) {\n    int value = i * 2;\n    g(value);\n}\n"},
    {"a.c", "void f(char i) {\n    g(@@i * 2@@);\n}\n", NULL},
    {"a.c", "void f(struct p *p) {\n    g(@@p->x@@);\n}\n", NULL},
    {"a.c", "void f(int i) {\n    if (i)\n        g(@@i * 2@@);\n}\n", NULL},
    {"a.c", "void f(void) {\n    char b[@@3 * 4@@];\n}\n", NULL},
    {"a.c", "void f(void) {\n    static int b = @@3 * 4@@;\n}\n", NULL},
    {"a.c", "void f(void) {\n    char b[] = @@\"x\"@@;\n}\n", NULL},
    {"a.c", "void f(void) {\n    g(@@0@@);\n}\n", NULL},
    {"a.c", "void f(int i) {\n    CHECK(@@i + 1@@);\n}\n", NULL},
    {"a.c", "#define twice(x) ((x) + (x))\nvoid f(int i) {\n    g(twice(@@i + 1@@));\n}\n", NULL},
    {"a.go", "package p\n\nfunc f() float64 {\n\treturn g(@@3 * 4@@)\n}\n",
     "package p\n\nfunc f() float64 {\n\tconst value = 3 * 4\n\treturn g(value)\n}\n"},
    {"a.go", "package p\n\nconst m = 3\n\nfunc f() float64 {\n\treturn g(@@m * 4@@)\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(n int) uint64 {\n\treturn g(@@1 << n@@)\n}\n", NULL},
    {"a.go", "package p\n\nfunc f() {\n\tg(@@h()@@)\n}\n", NULL},
    {"a.go", "package p\n\nfunc f() {\n\tg(1, @@h()@@)\n}\n",
     "package p\n\nfunc f() {\n\tvalue := h()\n\tg(1, value)\n}\n"},
    {"a.go", "package p\n\nfunc f(m map[string]int) {\n\tv, ok := @@m[\"a\"]@@\n\tg(v, ok)\n}\n", NULL},
    {"a.go", "package p\n\nfunc f() {\n\tconst x = @@3 * 4@@\n\tg(x)\n}\n", NULL},
    {"a.ts", "function f(a: number): number {\n  return g(@@a * 2@@);\n}\n",
     "function f(a: number): number {\n  const value = a * 2;\n  return g(value);\n}\n"},
    /* Counted, deleted, pointed to, called on: the place, not its value. */
    {"a.go", "package p\n\nfunc f(c map[string]int, k string) {\n\t@@c[k]@@++\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c map[string]int, k string) {\n\t@@c[k]@@--\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c map[string]int, k string) {\n\t@@c[k]@@ += 2\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c []int, k int) *int {\n\treturn &@@c[k]@@\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c []T, k int) {\n\tg(1, @@c[k]@@.add(2))\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c *T) {\n\tg(1, @@c.list@@[1:])\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c []int, k int) {\n\tfor @@c[k]@@ = range g() {\n\t}\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(n int) {\n\tg(1, h[[@@3 * 4@@]int](n))\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  @@a[i]@@++;\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  @@a[i]@@ += 1;\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  g(delete @@a[i]@@);\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  a.x ||= @@i.y@@;\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  g(@@a?.b@@.c);\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  g(a?.b(@@i.x@@));\n}\n", NULL},
    {"a.js", "function f(a, i) {\n  g(@@a?.b@@);\n}\n",
     "function f(a, i) {\n  const value = a?.b;\n  g(value);\n}\n"},
    {"a.js", "function f(i) {\n  g({@@\"a\"@@: i});\n}\n", NULL},
    {"a.js", "function f(i) {\n  const {a = @@i.b@@} = i;\n}\n", NULL},
    {"a.js", "function f(i) {\n  g(class { a = @@i.b@@; });\n}\n", NULL},
    {"a.c", "void f(int *a, int i) {\n    @@a[i]@@++;\n}\n", NULL},
    {"a.c", "void f(int *a, int i) {\n    @@a[i]@@ += 1;\n}\n", NULL},
    {"a.c", "void f(int *a, int i) {\n    g(&@@a[i]@@);\n}\n", NULL},
    {"a.c", "void f(int a, int i) {\n    g((@@a || i@@) && i < a);\n}\n", NULL}, /* "(value) && i": a cast? */
    {"a.py", "del @@a.b@@[3]\n", NULL},
    {"a.py", "@@a.b@@[3] += 1\n", NULL},
    {"a.py", "x = a < b < @@c.d@@\n", NULL},
    {"a.py", "x = a < @@c.d@@\n", "value = c.d\nx = a < value\n"},
    {"a.py", "g({@@'a' + 'b'@@: 3})\n", "value = 'a' + 'b'\ng({value: 3})\n"},
    {"a.py", "x = f'{@@a.b@@=}'\n", NULL},
    {"a.py", "x = f'{@@a.b@@}'\n", "value = a.b\nx = f'{value}'\n"},
    /* Types. */
    {"a.ts", "function f() {\n  g(h<@@\"a\"@@ | undefined>());\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(a as @@\"a\"@@ | T);\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(a satisfies @@\"a\"@@);\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(@@\"a\"@@ as const);\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(a as T[@@\"a\"@@]);\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(a as typeof @@a.b@@);\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  type T = @@\"a\"@@;\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  enum T { A = @@3 * 4@@ }\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(a as `x${@@\"a\"@@}`);\n}\n", NULL},
    {"a.ts", "function f(a: any) {\n  g(@@a.b@@ as T);\n}\n",
     "function f(a: any) {\n  const value = a.b;\n  g(value as T);\n}\n"},
};

static const refactor_case inlines[] = {
    {"a.py", "def f(a):\n    @@x = a.b\n    return f'{x=}'\n", NULL},
    {"a.py", "def f(a):\n    @@x = a['b']\n    return f'{x}'\n", NULL},
    {"a.py", "def f(a):\n    @@x = a['b']\n    return f\"{x}\"\n", "def f(a):\n    return f\"{a['b']}\"\n"},
    {"a.js", "function f(a) {\n  const @@x = a?.b;\n  return x.c;\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(c []T) {\n\t@@x := c[1]\n\tx.add(2)\n}\n", NULL},
    {"a.py", "def f(a):\n    @@x = a + 1\n    return x * 2\n", "def f(a):\n    return (a + 1) * 2\n"},
    {"a.py", "def f(a):\n    @@x = a + 1\n    return g(x)\n", "def f(a):\n    return g(a + 1)\n"},
    {"a.py", "def f(a):\n    @@x = 3\n    g()\n    return x + x\n", "def f(a):\n    g()\n    return 3 + 3\n"},
    {"a.py", "def f(a):\n    @@x = a.b\n    g()\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@x = g()\n    return x + x\n", NULL},
    {"a.py", "def f(a):\n    @@x = 1\n    x = 2\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@x = 1; y = 2\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@x = 1  # why\n    return x\n", NULL},
    {"a.py", "@@x = 1\ny = x\n", NULL},
    {"a.py", "def f():\n    @@x: float = 1\n    return x\n", NULL},
    {"a.js", "function f(a) {\n  const @@x = a - 1;\n  return 2 - x;\n}\n",
     "function f(a) {\n  return 2 - (a - 1);\n}\n"},
    {"a.c", "int f(int a) {\n    int @@x = a + 1;\n    return x * 2;\n}\n",
     "int f(int a) {\n    return (a + 1) * 2;\n}\n"},
    {"a.c", "double f(void) {\n    double @@x = 1;\n    return x / 2;\n}\n", NULL},
    {"a.c", "int f(void) {\n    static int @@x = 1;\n    return x;\n}\n", NULL},
    {"a.c", "int f(void) {\n    int @@x = 1;\n    g(&x);\n    return x;\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(a int) int {\n\t@@x := a + 1\n\treturn x * 2\n}\n",
     "package p\n\nfunc f(a int) int {\n\treturn (a + 1) * 2\n}\n"},
    {"a.go", "package p\n\nfunc f() float64 {\n\tconst @@x = 3 * 4\n\th()\n\treturn g(x)\n}\n",
     "package p\n\nfunc f() float64 {\n\th()\n\treturn g(3 * 4)\n}\n"},
    {"a.go", "package p\n\nfunc f() float64 {\n\tconst @@x float64 = 3\n\treturn g(x)\n}\n", NULL},
    {"a.go", "package p\n\nfunc f() int {\n\t@@x, err := g()\n\treturn x\n}\n", NULL},
    {"a.go", "package p\n\nfunc f() int {\n\t@@x := g()\n\treturn func() int { return x }()\n}\n", NULL},
    {"a.ts", "function f(a: number) {\n  const @@x = a - 1;\n  return 2 - x;\n}\n",
     "function f(a: number) {\n  return 2 - (a - 1);\n}\n"},
    {"a.ts", "function f(a: number) {\n  const @@x: unknown = a;\n  return x;\n}\n", NULL},
    {"a.tsx", "function F(p: P) {\n  const @@x = p.name;\n  return <b>{x}</b>;\n}\n",
     "function F(p: P) {\n  return <b>{p.name}</b>;\n}\n"},
};

static const refactor_case functions[] = {
    {"a.py",
     "import os\n\ndef f(items):\n    total = 0\n    for x in items:\n        @@y = x * 2\n        total += y@@\n"
     "    return total\n",
     "import os\n\ndef extracted(x, total):\n    y = x * 2\n    total += y\n    return total\n\n\n"
     "def f(items):\n    total = 0\n    for x in items:\n        total = extracted(x, total)\n"
     "    return total\n"},
    {"a.py", "class A:\n    def f(self, a):\n        @@self.x = a\n        print(a)@@\n",
     "def extracted(self, a):\n    self.x = a\n    print(a)\n\n\nclass A:\n    def f(self, a):\n"
     "        extracted(self, a)\n"},
    {"a.py", "def f(a):\n    @@b = a\n    c = b@@\n    return b, c\n",
     "def extracted(a):\n    b = a\n    c = b\n    return b, c\n\n\ndef f(a):\n    b, c = extracted(a)\n"
     "    return b, c\n"},
    {"a.py", "def f(a):\n    @@return a@@\n", NULL},
    {"a.py", "def f(a):\n    for i in a:\n        @@if i: break@@\n", NULL},
    {"a.py", "def f(a):\n    @@if a:\n        b = 1@@\n    return b\n", NULL},
    {"a.py", "def f(a):\n    if a:\n        b = 1\n    @@c = b@@\n    return c\n", NULL},
    {"a.py", "def f(a):\n    h = lambda: b\n    @@b = a@@\n    return h()\n",
     "def extracted(a):\n    b = a\n    return b\n\n\ndef f(a):\n    h = lambda: b\n    b = extracted(a)\n"
     "    return h()\n"},
    {"a.py", "def f(a):\n    def g():\n        @@b = a@@\n        return b\n    return g\n", NULL},
    {"a.py", "def f(a):\n    @@global b\n    b = a@@\n", NULL},
    {"a.py", "x = 1\n@@y = x@@\n", NULL},
    {"a.py", "def f(a):\n    @@print(a)\n    pri@@nt(a)\n", NULL},
    {"a.py", "def f(a):\n    @@c = [i for i in a]@@\n    return c\n",
     "def extracted(a):\n    c = [i for i in a]\n    return c\n\n\ndef f(a):\n    c = extracted(a)\n    return c\n"},
    {"a.js", "/** F. */\nfunction f(a) {\n  @@const b = a * 2;\n  log(b);@@\n  return b;\n}\n",
     "function extracted(a) {\n  const b = a * 2;\n  log(b);\n  return b;\n}\n\n/** F. */\nfunction f(a) {\n"
     "  const b = extracted(a);\n  return b;\n}\n"},
    {"a.js", "function f(a) {\n  let b = 1;\n  @@b = a;@@\n  return b;\n}\n",
     "function extracted(b, a) {\n  b = a;\n  return b;\n}\n\nfunction f(a) {\n  let b = 1;\n"
     "  b = extracted(b, a);\n  return b;\n}\n"},
    {"a.js", "function f() {\n  @@g(this.x);@@\n}\n", NULL},
    {"a.js", "function f(a) {\n  @@const b = a;\n  const c = a;@@\n  return b + c;\n}\n", NULL},
    {"a.js", "function f(a) {\n  let b = 0;\n  @@if (a) b = 1;@@\n  return b;\n}\n",
     "function extracted(a, b) {\n  if (a) b = 1;\n  return b;\n}\n\nfunction f(a) {\n  let b = 0;\n"
     "  b = extracted(a, b);\n  return b;\n}\n"},
    /* What one turn of a loop sets, the next one reads. */
    {"a.py", "def f(a):\n    b = 0\n    for x in a:\n        @@print(b)\n        b = b + x@@\n",
     "def extracted(b, x):\n    print(b)\n    b = b + x\n    return b\n\n\ndef f(a):\n    b = 0\n"
     "    for x in a:\n        b = extracted(b, x)\n"},
    /* A loop that turns never leaves its variable without a value. */
    {"a.py", "def f(a):\n    @@for x in a:\n        pass@@\n    return x\n", NULL},
    {"a.py", "def f(a):\n    @@for x in a:\n        if x: break@@\n    return a\n",
     "def extracted(a):\n    for x in a:\n        if x: break\n\n\ndef f(a):\n    extracted(a)\n    return a\n"},
    /* C */
    {"a.c", "/* F. */\nint f(const char *s, int n) {\n    int b = n;\n    @@int c = b * 2;\n    puts(s);@@\n"
     "    return c;\n}\n",
     "static int extracted(int b, const char *s) {\n    int c = b * 2;\n    puts(s);\n    return c;\n}\n\n"
     "/* F. */\nint f(const char *s, int n) {\n    int b = n;\n    int c = extracted(b, s);\n    return c;\n}\n"},
    {"a.c", "void f(void) {\n    @@puts(\"a\");\n    puts(\"b\");@@\n}\n",
     "static void extracted(void) {\n    puts(\"a\");\n    puts(\"b\");\n}\n\nvoid f(void) {\n    extracted();\n}\n"},
    {"a.c", "int f(int n) {\n    int c;\n    @@c = n * 2;@@\n    return c;\n}\n",
     "static int extracted(int n) {\n    int c;\n    c = n * 2;\n    return c;\n}\n\nint f(int n) {\n    int c;\n"
     "    c = extracted(n);\n    return c;\n}\n"},
    {"a.c", "int f(int n) {\n    char b[9];\n    @@g(b, n);@@\n    return b[0];\n}\n",
     "static void extracted(char *b, int n) {\n    g(b, n);\n}\n\nint f(int n) {\n    char b[9];\n"
     "    extracted(b, n);\n"
     "    return b[0];\n}\n"},
    {"a.c", "int f(int n) {\n    char b[9];\n    @@g(b, sizeof b);@@\n    return b[0];\n}\n", NULL},
    {"a.c", "int f(int n) {\n    int c;\n    @@if (n) c = n * 2;@@\n    return c;\n}\n", NULL},
    {"a.c", "int f(int n) {\n    int c = 1, d = 2;\n    @@c = n;\n    d = n;@@\n    return c + d;\n}\n", NULL},
    {"a.c", "int f(int n) {\n    @@if (n) return 1;@@\n    return 2;\n}\n", NULL},
    {"a.c", "void f(int n) {\n    @@n++;@@\n    g(&n);\n}\n", NULL},
    {"a.c", "void f(struct s x) {\n    @@x.a = 1;@@\n    g(x.a);\n}\n",
     "static struct s extracted(struct s x) {\n    x.a = 1;\n    return x;\n}\n\nvoid f(struct s x) {\n"
     "    x = extracted(x);\n"
     "    g(x.a);\n}\n"},
    {"a.c", "void f(struct s x) {\n    @@p = x.name;@@\n}\n", NULL},
    {"a.c", "struct s { char *name; };\nvoid f(struct s x) {\n    @@p = x.name;@@\n}\n",
     "struct s { char *name; };\nstatic void extracted(struct s x) {\n    p = x.name;\n}\n\nvoid f(struct s x) {\n"
     "    extracted(x);\n}\n"},
    {"a.c", "struct s { char name[8]; };\nvoid f(struct s x) {\n    @@p = x.name;@@\n}\n", NULL},
    {"a.c", "void f(int n) {\n    @@CHECK(n);@@\n}\n", NULL},
    {"a.c", "#define go(x) return x\nint f(int n) {\n    @@go(n);@@\n}\n", NULL},
    {"a.c", "#define N (n + 1)\nvoid f(int n) {\n    @@g(N);@@\n}\n", NULL},
    {"a.c", "#define N 3\nvoid f(int n) {\n    @@g(N, n);@@\n}\n",
     "#define N 3\nstatic void extracted(int n) {\n    g(N, n);\n}\n\nvoid f(int n) {\n    extracted(n);\n}\n"},
    {"a.c", "void f(int n) {\nagain:\n    @@n++;@@\n    goto again;\n}\n", NULL},
    {"a.c", "void f(int n) {\n    static int c;\n    @@c += n;@@\n    g(c);\n}\n", NULL},
    {"a.c", "void f(int n) {\n    struct t { int a; } x;\n    @@g(n);@@\n}\n", NULL},
    {"a.c", "void f(int n) {\n    switch (n) {\n    @@case 1: g(n);@@\n    }\n}\n", NULL},
    {"a.c", "void f(int n) {\n    for (int i = 0; i < n; i++) {\n        @@if (i) break;@@\n    }\n}\n", NULL},
    {"a.c", "int f(int n) {\n    int x = n;\n    @@int y = x;\n    g(y);\n    { int x = 2; g(x); }@@\n"
     "    return n;\n}\n",
     "static void extracted(int x) {\n    int y = x;\n    g(y);\n    { int x = 2; g(x); }\n}\n\n"
     "int f(int n) {\n    int x = n;\n    extracted(x);\n    return n;\n}\n"},
    {"a.c", "int f(int n) {\n    int x = n;\n    {\n        @@int y = x;\n        int x = y;\n        g(x);@@\n"
     "    }\n    return n;\n}\n", NULL},
    /* Go */
    {"a.go", "package p\n\nfunc f(s []string) int {\n\tn := 0\n\tfor _, x := range s {\n\t\t@@n += len(x)\n"
     "\t\tg(x)@@\n\t}\n\treturn n\n}\n",
     "package p\n\nfunc extracted(n int, x string) int {\n\tn += len(x)\n\tg(x)\n\treturn n\n}\n\n"
     "func f(s []string) int {\n\tn := 0\n\tfor _, x := range s {\n\t\tn = extracted(n, x)\n\t}\n\treturn n\n}\n"},
    {"a.go", "package p\n\nfunc g() (int, error) {\n\treturn 1, nil\n}\n\nfunc f() (int, error) {\n"
     "\t@@a, err := g()\n\tlog(a)@@\n\treturn a, err\n}\n",
     "package p\n\nfunc g() (int, error) {\n\treturn 1, nil\n}\n\nfunc extracted() (int, error) {\n"
     "\ta, err := g()\n\tlog(a)\n"
     "\treturn a, err\n}\n\nfunc f() (int, error) {\n\ta, err := extracted()\n\treturn a, err\n}\n"},
    {"a.go", "package p\n\nfunc f() error {\n\t@@a, err := other.G()@@\n\tlog(a)\n\treturn err\n}\n", NULL},
    {"a.go", "package p\n\ntype T struct{ a int }\n\nfunc (t *T) f() {\n\t@@t.a = 3@@\n}\n",
     "package p\n\ntype T struct{ a int }\n\nfunc extracted(t *T) {\n\tt.a = 3\n}\n\nfunc (t *T) f() {\n"
     "\textracted(t)\n}\n"},
    {"a.go", "package p\n\nfunc f(b Buffer) {\n\t@@b.Write(1)@@\n\tg(b)\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(n int) (r int) {\n\t@@r = n@@\n\treturn\n}\n",
     "package p\n\nfunc extracted(r int, n int) int {\n\tr = n\n\treturn r\n}\n\nfunc f(n int) (r int) {\n"
     "\tr = extracted(r, n)\n\treturn\n}\n"},
    {"a.go", "package p\n\nfunc f(n int) {\n\t@@defer g(n)@@\n}\n", NULL},
    {"a.go", "package p\n\nfunc f[T any](n T) {\n\t@@g(n)@@\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(n int) {\n\th := func() { n++ }\n\t@@g(n)@@\n\th()\n}\n", NULL},
    {"a.go", "package p\n\nfunc f(n int) int {\n\tif n > 1 {\n\t\t@@return n@@\n\t}\n\treturn 1\n}\n", NULL},
};

/* Why not: what people read. */
static const struct {
    const char *path, *text, *why;
} refusals[] = {
    {"a.c", "int f(int n) {\n    @@if (n) return 1;@@\n    return 2;\n}\n", "they return"},
    {"a.go", "package p\n\nfunc f(n int) {\n\t@@return@@\n}\n", "they return"},
    {"a.py", "def f(a):\n    for i in a:\n        @@if i: break@@\n", "they leave the loop around them"},
    {"a.js", "function f() {\n  @@g(this.x);@@\n}\n", "they use this"},
    {"a.c", "void f(int n) {\n    @@n++;@@\n    g(&n);\n}\n", "the address of a variable is taken"},
    {"a.c", "void f(int n) {\n    @@CHECK(n);@@\n}\n", "CHECK looks like a macro"},
    {"a.go", "package p\n\nfunc f() {\n\tx := other.G()\n\t@@g(x)@@\n}\n", "the type of x is not known here"},
    {"a.py", "def f(a):\n    if a:\n        b = 1\n    @@c = b@@\n    return c\n",
     "b has a value there only perhaps"},
    {"a.py", "def f(a):\n    @@print(a)\n    pri@@nt(a)\n", NULL},
};
/* clang-format on */

typedef bool (*operation)(document *d, size_t from, size_t to, arena *a, refactoring *out);

static bool variable_of(document *d, size_t from, size_t to, arena *a, refactoring *out) {
    return refactor_extract_variable(d, from, to, (str){0}, a, out);
}

static bool function_of(document *d, size_t from, size_t to, arena *a, refactoring *out) {
    return refactor_extract_function(d, from, to, (str){0}, a, out);
}

static bool inline_at(document *d, size_t from, size_t to, arena *a, refactoring *out) {
    UNUSED(to);
    return refactor_inline_variable(d, from, a, out);
}

static void check(const refactor_case *cases, size_t n, operation run) {
    for (size_t i = 0; i < n; i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        fixture f;
        err e;
        refactoring r;
        fixture_init(&f, cases[i].path, cases[i].text);
        size_t to = f.offset;
        ptrdiff_t end = str_find(document_text(f.d), STR("@@"));
        if (end >= 0) {
            to = (size_t)end;
            assert_int_equal(document_edit(f.d, to, to + 2, STR(""), &e), OK);
        }
        bool good = run(f.d, f.offset, to, &f.a, &r);
        if (!cases[i].want && good) fail_msg("done, but must be refused: %s", cases[i].text);
        if (cases[i].want && !good) fail_msg("refused: %s", cases[i].text);
        if (good) {
            strbuf text;
            strbuf_init(&text, 1 << 20);
            change_apply(document_text(f.d), r.edits, r.n, &text);
            assert_string_equal(text.ptr, cases[i].want);
            strbuf_deinit(&text);
        }
        fixture_deinit(&f);
    }
}

static void test_extract_variable(void **state) {
    UNUSED(state);
    check(variables, COUNTOF(variables), variable_of);
}

static void test_inline(void **state) {
    UNUSED(state);
    check(inlines, COUNTOF(inlines), inline_at);
}

static void test_extract_function(void **state) {
    UNUSED(state);
    check(functions, COUNTOF(functions), function_of);
}

static void test_refusals(void **state) {
    UNUSED(state);
    for (size_t i = 0; i < COUNTOF(refusals); i++) {
        if (fixture_is_left_out(refusals[i].path)) continue;
        fixture f;
        err e;
        refactoring r;
        fixture_init(&f, refusals[i].path, refusals[i].text);
        size_t to = (size_t)str_find(document_text(f.d), STR("@@"));
        assert_int_equal(document_edit(f.d, to, to + 2, STR(""), &e), OK);
        assert_false(refactor_extract_function(f.d, f.offset, to, (str){0}, &f.a, &r));
        if (refusals[i].why)
            assert_string_equal(r.why, refusals[i].why);
        else
            assert_null(r.why);
        fixture_deinit(&f);
    }
}

/* Names from outside: taken as they are, made different, or replaced by one by rule. */
static void test_names(void **state) {
    UNUSED(state);
    static const struct {
        const char *wanted, *want;
    } cases[] = {
        {"area", "area"},    {"g", "g_2"},
        {"class", "value"},  {"a b", "value"},
        {"9a", "value"},     {"", "value"},
        {"a;drop", "value"}, {"_", "value"},
        {"__x", "value"},    {"\xc3\xa4", "value"},
        {"f", "f_2"},        {"a_name_that_is_longer_than_anyone_would_want_it", "value"},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out("a.py")) continue;
        fixture f;
        refactoring r;
        fixture_init(&f, "a.py", "def f(a):\n    return g(@@a + 1)\n");
        assert_true(refactor_extract_variable(f.d, f.offset, f.offset + 5, str_of(cases[i].wanted),
                                              &f.a, &r));
        if (!str_eq(r.name, str_of(cases[i].want)))
            fail_msg("%s: %.*s", cases[i].wanted, STR_ARG(r.name));
        fixture_deinit(&f);
    }
}

static void on_any(void *ud, all_kind kind, size_t from, size_t to, const refactoring *r) {
    strbuf text;
    UNUSED(from);
    UNUSED(to);
    UNUSED(kind);
    strbuf_init(&text, 1 << 20);
    change_apply(document_text(ud), r->edits, r->n, &text);
    strbuf_deinit(&text);
}

/* Texts in the middle of being written: whatever is missing, nothing falls over. */
static void test_broken_texts(void **state) {
    UNUSED(state);
    static const struct {
        const char *path, *text;
    } texts[] = {
        {"a.c",
         "#define N(x) (x + 1)\nstruct s { int a; char *b; };\nint f(struct s x, int n) {\n"
         "    int c = x.a * 2, d[3];\n    for (int i = 0; i < n; i++) { c += i; d[0] = c; }\n"
         "    if (c > 3 && f(x, N(n))) n = 1;\n    return c + d[0];\n}\n"},
        {"a.go",
         "package p\n\nimport \"fmt\"\n\ntype T struct{ a int }\n\nfunc (t *T) f(n int, s "
         "...string) (int, error) {\n"
         "\tv, err := t.f(n)\n\tfor i, x := range s {\n\t\tv += len(x) + i\n\t\tt.a = v\n\t}\n"
         "\tconst c = 3 * 4\n\tm := map[string]int{\"a\": c}\n\tfmt.Println(m[\"a\"], v)\n\treturn "
         "v, err\n}\n"},
        {"a.py", "def f(a, *b, c=1):\n    x = a + c\n    for y in b:\n        x += y * 2\n        "
                 "print(x, [z for z in b])\n"
                 "    with g(x) as h:\n        k = h.read() or x\n    return k, x\n"},
        {"a.ts",
         "import { q } from './q';\nfunction f<T>(a: T, b: number): number {\n  const x = b * 2;\n"
         "  let y = x;\n  for (const z of q(a)) { y += z; log(y); }\n  const { u, v: [w] } = "
         "g(x);\n"
         "  return y + u + w;\n}\n"},
    };
    uint64_t seed = 7;
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        if (fixture_is_left_out(texts[i].path)) continue;
        for (int round = 0; round < 60; round++) {
            char text[1000];
            fixture f;
            refactoring r;
            snprintf(text, sizeof text, "%s@@", texts[i].text);
            for (int cut = 0; cut < round % 4; cut++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                size_t at = (size_t)(seed >> 33) % (strlen(text) - 12),
                       n = (size_t)(seed >> 20) % 9;
                memmove(text + at, text + at + n, strlen(text + at + n) + 1);
            }
            fixture_init(&f, texts[i].path, text);
            all_refactorings(f.d, 7, on_any, f.d);
            (void)refactor_add_import(f.d, STR("add"), STR("m"), &f.a, &r);
            (void)refactor_add_include(f.d, STR("add"), STR("m.h"), &f.a, &r);
            (void)refactor_add_go_import(f.d, STR("add"), STR("m/add"), &f.a, &r);
            (void)refactor_add_script_import(f.d, STR("add"), STR("./m"), false, &f.a, &r);
            fixture_deinit(&f);
        }
    }
}

static void test_import(void **state) {
    UNUSED(state);
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"import os\n\nprint(a)\n", "import os\nfrom p.q import a\n\nprint(a)\n"},
        {"\"\"\"Doc.\"\"\"\nprint(a)\n", "\"\"\"Doc.\"\"\"\nfrom p.q import a\nprint(a)\n"},
        {"print(a)\n", "from p.q import a\nprint(a)\n"},
        {"from x import a\nprint(a)\n", NULL},
        {"a = 1\nprint(a)\n", NULL},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out("a.py")) continue;
        char text[200];
        fixture f;
        refactoring r;
        strbuf made;
        snprintf(text, sizeof text, "%s@@", cases[i].text);
        fixture_init(&f, "a.py", text);
        bool good = refactor_add_import(f.d, STR("a"), STR("p.q"), &f.a, &r);
        assert_int_equal(good, cases[i].want != NULL);
        strbuf_init(&made, 4096);
        if (good) change_apply(document_text(f.d), r.edits, r.n, &made);
        if (good) assert_string_equal(made.ptr, cases[i].want);
        strbuf_deinit(&made);
        fixture_deinit(&f);
    }
}

typedef struct {
    const char *path, *text, *want; /* want NULL: refused */
    bool whole;
} import_case;

/* Texts with "add" of "./m" (scripts), or of the package m/add (Go). */
static void test_module_imports(void **state) {
    UNUSED(state);
    static const import_case cases[] = {
        {"a.ts", "import { x } from './x';\n\nadd(x);\n",
         "import { x } from './x';\nimport { add } from './m';\n\nadd(x);\n", false},
        {"a.ts", "import { x } from \"./x\"\nadd(x)\n",
         "import { x } from \"./x\"\nimport { add } from \"./m\"\nadd(x)\n", false},
        {"a.ts", "import { x, y, } from './m';\nadd(x);\n",
         "import { x, y, add, } from './m';\nadd(x);\n", false},
        {"a.ts", "import z, { x } from './m';\nadd(x);\n",
         "import z, { x, add } from './m';\nadd(x);\n", false},
        {"a.ts", "import type { x } from './m';\nadd(x);\n",
         "import type { x } from './m';\nimport { add } from './m';\nadd(x);\n", false},
        {"a.ts", "import { x } from './m';\nadd(x);\n",
         "import { x } from './m';\nimport add from './m';\nadd(x);\n", true},
        {"a.js", "// About.\n'use strict';\nadd(1);\n",
         "// About.\n'use strict';\nimport { add } from \"./m\";\nadd(1);\n", false},
        {"a.js", "#!/usr/bin/env node\nadd(1);\n",
         "#!/usr/bin/env node\nimport { add } from \"./m\";\nadd(1);\n", false},
        {"a.js", "add(1);\n", "import { add } from \"./m\";\nadd(1);\n", false},
        {"a.js", "const x = require('./x');\nadd(x);\n", NULL, false},
        {"a.js", "import add from './x';\nadd(1);\n", NULL, false},
        {"a.js", "import * as add from './x';\nadd(1);\n", NULL, false},
        {"a.js", "function add() {\n}\nadd(1);\n", NULL, false},
        {"a.js", "const { add } = x;\nadd(1);\n", NULL, false},
        {"a.ts", "export class add {\n}\n", NULL, false},
        {"a.ts", "interface add {\n}\n", NULL, false},
        {"a.go", "package p\n\nvar x = add.One\n",
         "package p\n\nimport \"m/add\"\n\nvar x = add.One\n", false},
        {"a.go", "package p\n\nimport \"fmt\"\n\nvar x = add.One\n",
         "package p\n\nimport \"fmt\"\nimport \"m/add\"\n\nvar x = add.One\n", false},
        {"a.go",
         "package p\n\nimport (\n\t\"fmt\"\n\n\t\"m/aaa\"\n\t\"m/zzz\"\n)\n\nvar x = add.One\n",
         "package p\n\nimport (\n\t\"fmt\"\n\n\t\"m/aaa\"\n\t\"m/add\"\n\t\"m/zzz\"\n)\n\nvar x = "
         "add.One\n",
         false},
        {"a.go", "package p\n\nimport (\n\t\"fmt\"\n)\n\nvar x = add.One\n",
         "package p\n\nimport (\n\t\"fmt\"\n\t\"m/add\"\n)\n\nvar x = add.One\n", false},
        {"a.go", "package p\n\nimport (\"fmt\")\n\nvar x = add.One\n", NULL, false},
        {"a.go", "package p\n\nimport \"other/add\"\n\nvar x = add.One\n", NULL, false},
        {"a.go", "package p\n\nimport add \"fmt\"\n\nvar x = add.One\n", NULL, false},
        {"a.go", "package p\n\nfunc f(add T) int {\n\treturn add.One\n}\n", NULL, false},
        {"a.go", "var x = add.One\n", NULL, false},
        {"a.py", "add(1)\n", NULL, false},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        char text[300];
        fixture f;
        refactoring r;
        strbuf made;
        snprintf(text, sizeof text, "%s@@", cases[i].text);
        fixture_init(&f, cases[i].path, text);
        bool go = str_ends_with(str_of(cases[i].path), STR(".go"));
        bool good =
            go ? refactor_add_go_import(f.d, STR("add"), STR("m/add"), &f.a, &r)
               : refactor_add_script_import(f.d, STR("add"), STR("./m"), cases[i].whole, &f.a, &r);
        if (good != (cases[i].want != NULL)) fail_msg("%s", cases[i].text);
        strbuf_init(&made, 4096);
        if (good) change_apply(document_text(f.d), r.edits, r.n, &made);
        if (good) assert_string_equal(made.ptr, cases[i].want);
        strbuf_deinit(&made);
        fixture_deinit(&f);
    }
}

static void test_script_endings(void **state) {
    UNUSED(state);
    static const struct {
        const char *path, *text, *want;
    } cases[] = {
        {"a.ts", "let x = 1;\n", ""},
        {"a.js", "let x = 1;\n", ".js"},
        {"a.js", "import x from './x';\n", ""},
        {"a.ts", "import x from './x.js';\n", ".js"},
        {"a.ts", "import x from 'x.js';\n", ""},
        {"a.ts", "import x from '../y/x';\n", ""},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out(cases[i].path)) continue;
        char text[100];
        fixture f;
        snprintf(text, sizeof text, "%s@@", cases[i].text);
        fixture_init(&f, cases[i].path, text);
        str found = refactor_script_ending(f.d, &f.a);
        if (!str_eq(found, str_of(cases[i].want))) fail_msg("%s: %.*s", text, STR_ARG(found));
        fixture_deinit(&f);
    }
}

static void test_include(void **state) {
    UNUSED(state);
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"#include <x.h>\n#include \"y.h\"\n\nint f(void) { return a(1); }\n",
         "#include <x.h>\n#include \"y.h\"\n#include \"p/q.h\"\n\nint f(void) { return a(1); }\n"},
        {"/* About. */\nint f(void) { return a(1); }\n",
         "/* About. */\n#include \"p/q.h\"\nint f(void) { return a(1); }\n"},
        {"#pragma once\nint f(void);\n", "#pragma once\n#include \"p/q.h\"\nint f(void);\n"},
        {"int f(void) { return a(1); }", "#include \"p/q.h\"\nint f(void) { return a(1); }"},
        {"#include \"q.h\"\nint f(void) { return a(1); }\n", NULL},
        {"int a(int x);\nint f(void) { return a(1); }\n", NULL},
        {"#define a(x) (x)\nint f(void) { return a(1); }\n", NULL},
        {"struct a { int x; };\nstruct a f(void);\n", NULL},
        {"int f(int a) { return a; }\n", NULL},
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (fixture_is_left_out("a.c")) continue;
        char text[200];
        fixture f;
        refactoring r;
        strbuf made;
        snprintf(text, sizeof text, "%s@@", cases[i].text);
        fixture_init(&f, "a.c", text);
        bool good = refactor_add_include(f.d, STR("a"), STR("p/q.h"), &f.a, &r);
        if (good != (cases[i].want != NULL)) fail_msg("%s", cases[i].text);
        strbuf_init(&made, 4096);
        if (good) change_apply(document_text(f.d), r.edits, r.n, &made);
        if (good) assert_string_equal(made.ptr, cases[i].want);
        strbuf_deinit(&made);
        fixture_deinit(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extract_variable),
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_extract_function),
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_broken_texts),
        cmocka_unit_test(test_module_imports),
        cmocka_unit_test(test_script_endings),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_include),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
