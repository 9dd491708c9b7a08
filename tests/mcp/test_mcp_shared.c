/* SPDX-License-Identifier: Apache-2.0 */
/* The cache that daemons share: names and wrapping, the protocol against a peer that errs, and a
 * real Redis (its own process, a socket in a temporary folder). */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/log.h"
#include "engine/base/mem.h"
#include "mcp/redis.h"
#include "mcp/shared.h"
#include "tests/mcp/host_driver.h"

extern char **environ;

/* ---- names and wrapping ---------------------------------------------------------------------- */

static void test_names(void **state) {
    (void)state;
    char a[80], b[80], here[65], there[65];
    mcp_definition *d = mcp_definition_new("s");
    d->transport = MCP_STDIO;
    d->command = "/bin/server";
    vec_push(&d->env, ((mcp_pair){"TOKEN", "one"}));
    shared_place("/w", here);
    shared_place("/v", there);
    shared_key(d, "call", NULL, a);
    shared_key(d, "call", NULL, b);
    assert_string_equal(a, b);
    assert_int_equal(strncmp(a, "inlined:1:", 10), 0);
    assert_null(strstr(a, "one"));
    shared_key(d, "call", here, b);
    assert_string_not_equal(a, b);
    shared_key(d, "call", there, a);
    assert_string_not_equal(a, b);
    d->env.at[0].value = "two"; /* another user's token */
    shared_key(d, "call", there, b);
    assert_string_not_equal(a, b);
    vec_free(&d->env);
    mcp_definition_free(d);
}

static void test_wrapping(void **state) {
    (void)state;
    double left = 0;
    cJSON *result = cJSON_Parse("{\"content\":[{\"type\":\"text\",\"text\":\"a b c\"}]}"), *back;
    strbuf sealed;
    strbuf_init(&sealed, 4096);
    shared_seal(&sealed, result, 10000, 5000);
    back = shared_open(strbuf_str(&sealed), 11000, 9000, 60000, &left);
    assert_non_null(back);
    assert_true(cJSON_Compare(back, result, true));
    assert_true(left == 4000);
    cJSON_Delete(back);
    back = shared_open(strbuf_str(&sealed), 11000, 9000, 30, &left);
    assert_true(back && left == 30);
    cJSON_Delete(back);
    assert_null(shared_open(strbuf_str(&sealed), 15000, 9000, 60000, &left));  /* over */
    assert_null(shared_open(strbuf_str(&sealed), 11000, 10000, 60000, &left)); /* forgotten since */
    assert_null(shared_open(strbuf_str(&sealed), 7000, 0, 60000, &left));      /* the future */
    for (size_t i = 0; i < sealed.len; i++) { /* every byte counts */
        sealed.ptr[i] ^= 1;
        back = shared_open(strbuf_str(&sealed), 11000, 9000, 60000, &left);
        if (i > 12) assert_null(back); /* before that stand times, of which another one is fine */
        cJSON_Delete(back);
        sealed.ptr[i] ^= 1;
    }
    for (size_t n = 0; n < sealed.len; n++)
        assert_null(shared_open(str_sub(strbuf_str(&sealed), 0, n), 11000, 9000, 60000, &left));
    strbuf_deinit(&sealed);
    cJSON_Delete(result);
}

static void test_addresses(void **state) {
    (void)state;
    static const char *const good[] = {"redis://localhost", "redis://:p%40ss@127.0.0.1:7000/3",
                                       "redis://user:word@[::1]:6379", "unix:///run/redis.sock",
                                       "unix:///run/redis.sock?db=2"};
    static const char *const bad[] = {"",
                                      "localhost:6379",
                                      "http://localhost",
                                      "redis://localhost/x",
                                      "rediss://localhost",
                                      "unix:///s?db=-1",
                                      "redis://"};
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    for (size_t i = 0; i < COUNTOF(good); i++) {
        redis *r;
        redis_info info;
        err e = {.text = ""};
        if (redis_new(&loop, good[i], &r, &e) != OK) fail_msg("%s: %s", good[i], e.text);
        redis_tell(r, &info);
        assert_int_equal(info.state, REDIS_UNUSED);
        assert_null(strstr(info.where, "p@ss"));
        assert_null(strstr(info.where, "word"));
        redis_close(r, NULL, NULL);
    }
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        redis *r;
        err e = {.text = ""};
        if (redis_new(&loop, bad[i], &r, &e) == OK) fail_msg("\"%s\" was taken", bad[i]);
        assert_non_null(strstr(e.text, "Redis"));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- a connection ---------------------------------------------------------------------------- */

typedef struct {
    uv_loop_t loop;
    redis *r;
    char folder[64], socket[96], url[128];
    pid_t pid;
    size_t told;
    char value[256];
    bool hit;
    bool closed;
} rig;

static void on_got(void *ud, uint64_t number, str value) {
    rig *g = ud;
    g->told++;
    g->hit = value.ptr != NULL;
    snprintf(g->value, sizeof g->value, "%.*s", STR_ARG(value));
    assert_int_equal(number, 7);
}

static redis_info info_of(const rig *g) {
    redis_info info;
    redis_tell(g->r, &info);
    return info;
}

static void begin(rig *g, const char *more) {
    *g = (rig){.folder = "/tmp/inlined-redis-XXXXXX"};
    assert_non_null(mkdtemp(g->folder));
    snprintf(g->socket, sizeof g->socket, "%s/s", g->folder);
    snprintf(g->url, sizeof g->url, "unix://%s%s", g->socket, more);
    assert_int_equal(uv_loop_init(&g->loop), 0);
    err e = {.text = ""};
    if (redis_new(&g->loop, g->url, &g->r, &e) != OK) fail_msg("%s", e.text);
}

static void on_closed(void *ud) {
    ((rig *)ud)->closed = true;
}

static void end(rig *g) {
    redis_close(g->r, on_closed, g);
    while (uv_run(&g->loop, UV_RUN_DEFAULT)) {
    }
    assert_true(g->closed);
    assert_int_equal(uv_loop_close(&g->loop), 0);
    if (g->pid) {
        kill(g->pid, SIGKILL);
        waitpid(g->pid, NULL, 0);
    }
    unlink(g->socket);
    assert_int_equal(rmdir(g->folder), 0);
}

static void turn(rig *g) {
    uv_run(&g->loop, UV_RUN_NOWAIT);
    usleep(500);
}

/* Turns until a GET is told; false: it was a miss at once. */
static bool get(rig *g, const char *key) {
    size_t told = g->told;
    g->hit = false;
    if (!redis_get(g->r, key, on_got, g, 7)) return false;
    while (g->told == told)
        turn(g);
    return true;
}

/* Asks until there is an answer from the server: it may be starting, or late on a busy machine. */
static bool get_surely(rig *g, const char *key) {
    for (int i = 0; i < 60000; i++) {
        uint64_t late = info_of(g).late;
        if (get(g, key) && info_of(g).late == late) return g->hit;
        turn(g);
    }
    fail_msg("no answer: %s %s", redis_state_name(info_of(g).state), info_of(g).why);
    return false;
}

static void wait_state(rig *g, redis_state wanted) {
    for (int i = 0; i < 60000 && info_of(g).state != wanted; i++)
        turn(g);
    assert_string_equal(redis_state_name(info_of(g).state), redis_state_name(wanted));
}

static void start_redis(rig *g, const char *option, const char *value) {
    const char *const argv[] = {
        "redis-server", "--port",  "0",          "--unixsocket", g->socket, "--save", "",
        "--dir",        g->folder, "--loglevel", "warning",      option,    value,    NULL};
    char *copies[COUNTOF(argv)] = {0}; /* posix_spawn wants them writable */
    for (size_t i = 0; argv[i]; i++)
        copies[i] = xstrdup(argv[i]);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    int rc = posix_spawnp(&g->pid, copies[0], &files, NULL, copies, environ);
    posix_spawn_file_actions_destroy(&files);
    for (size_t i = 0; copies[i]; i++)
        xfree(copies[i]);
    if (rc) fail_msg("redis-server cannot be started: %s", strerror(rc));
}

static void test_real(void **state) {
    (void)state;
    rig g;
    begin(&g, "?db=1");
    start_redis(&g, NULL, NULL);
    assert_false(get_surely(&g, "key"));
    redis_set(g.r, "key", STR("one two"), 60000);
    assert_true(get_surely(&g, "key"));
    assert_string_equal(g.value, "one two");
    redis_set(g.r, "short", STR("gone"), 1);
    usleep(20000);
    assert_false(get_surely(&g, "short"));
    /* Stopped: misses within their time, then it is left alone; a miss costs nothing then. */
    kill(g.pid, SIGSTOP);
    for (int i = 0; i < LIMIT_REDIS_LATE && info_of(&g).state == REDIS_READY; i++) {
        get(&g, "key");
        assert_false(g.hit);
    }
    assert_int_equal(info_of(&g).state, REDIS_DOWN);
    assert_false(redis_get(g.r, "key", on_got, &g, 7));
    kill(g.pid, SIGCONT);
    assert_true(get_surely(&g, "key")); /* it comes back by itself */
    /* Killed with questions open: each is told once, as a miss. */
    kill(g.pid, SIGKILL);
    size_t told = g.told, asked = 0;
    for (int i = 0; i < 50; i++)
        asked += redis_get(g.r, "key", on_got, &g, 7);
    wait_state(&g, REDIS_DOWN);
    assert_int_equal(g.told - told, asked);
    end(&g);
}

static void test_full(void **state) {
    (void)state;
    rig g;
    begin(&g, "");
    start_redis(&g, "--maxmemory", "1");
    assert_false(get_surely(&g, "key"));
    redis_set(g.r, "key", STR("value"), 60000);
    for (int i = 0; i < 60000 && info_of(&g).errors == 0; i++) {
        if (i % 200 == 199) redis_set(g.r, "key", STR("value"), 60000); /* it was not connected */
        turn(&g);
    }
    assert_int_equal(info_of(&g).errors, 1);
    assert_false(get_surely(&g, "key"));
    uint64_t lost = info_of(&g).lost;
    redis_set(g.r, "key", STR("value"), 60000); /* not tried for a while */
    assert_int_equal(info_of(&g).lost, lost + 1);
    assert_int_equal(info_of(&g).errors, 1);
    end(&g);
}

static void test_password(void **state) {
    (void)state;
    rig g;
    begin(&g, "");
    start_redis(&g, "--requirepass", "secret");
    for (int i = 0; i < 60000 && info_of(&g).errors == 0; i++) {
        (void)redis_get(g.r, "key", on_got, &g, 7);
        turn(&g);
    }
    wait_state(&g, REDIS_DOWN);
    assert_non_null(strstr(info_of(&g).why, "password"));
    assert_true(info_of(&g).retry_in_ms > 30000);
    end(&g);
}

/* ---- two hosts ------------------------------------------------------------------------------- */

static void open_host(driver *d, const rig *g) {
    driver_open_with(d, false, NULL, g->url);
    mcp_definition *one = hostile("");
    one->trusted = true;
    vec_push(&one->allow, "look");
    driver_configure(d, &one, 1);
}

static void look(driver *d, const char *arguments, got *g) {
    cJSON *json = cJSON_Parse(arguments);
    const mcp_order order = {.server = "good", .name = "look", .approved = true, .arguments = json};
    driver_order(d, &order, g);
    driver_wait(d, g, 1, 60000);
    assert_int_equal(g->outcome, MCP_OK);
    cJSON_Delete(json);
}

/* Look-ups that nobody made before, until the connection is there. */
static void connect_host(driver *d) {
    char arguments[32];
    redis_info info = {0};
    got g;
    for (int i = 0; i < 3000 && info.state != REDIS_READY; i++) {
        snprintf(arguments, sizeof arguments, "{\"n\":%d}", i);
        look(d, arguments, &g);
        driver_run(d, 20);
        assert_true(mcp_host_redis(d->host, &info));
    }
    assert_int_equal(info.state, REDIS_READY);
}

static uint64_t kept(const driver *d) {
    redis_info info;
    assert_true(mcp_host_redis(d->host, &info));
    return info.kept;
}

static void test_hosts_share(void **state) {
    (void)state;
    rig r;
    driver one, other;
    got g;
    begin(&r, "");
    start_redis(&r, NULL, NULL);
    open_host(&one, &r);
    connect_host(&one);
    uint64_t before = kept(&one);
    look(&one, "{\"shared\":true}", &g);
    assert_false(g.cached);
    for (int i = 0; i < 1000 && kept(&one) == before; i++)
        driver_run(&one, 20);
    assert_true(kept(&one) > before);
    driver_close(&one);
    g.cached = false;
    for (int i = 0; i < 50 && !g.cached; i++) { /* a busy machine may be late: another new host */
        open_host(&other, &r);
        connect_host(&other);
        look(&other, "{\"shared\":true}", &g);
        if (!g.cached) driver_close(&other);
    }
    assert_true(g.cached);
    assert_string_equal(g.text, "echo");
    assert_int_equal(driver_info(&other, "good").numbers.cache_hits, 1);
    driver_call(&other, "good", "echo", &g); /* may have changed something */
    driver_wait(&other, &g, 1, 60000);
    look(&other, "{\"shared\":true}", &g); /* what was made before that is not taken */
    assert_false(g.cached);
    driver_close(&other);
    end(&r);
}

/* ---- a peer that errs ------------------------------------------------------------------------ */

/* Listens, takes one connection and writes `bytes` to it. */
static void serve_bytes(const rig *g, const void *bytes, size_t n) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", g->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(g->socket);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0);
    (void)redis_get(g->r, "key", on_got, (void *)(uintptr_t)g, 7); /* begins to connect */
    int peer = accept(fd, NULL, NULL);
    assert_true(peer >= 0 && fcntl(peer, F_SETFL, O_NONBLOCK) == 0);
    const char *at_byte = bytes;
    rig *own = (rig *)(uintptr_t)g;
    for (size_t sent = 0; sent < n && info_of(g).state != REDIS_DOWN;) {
        ssize_t now = send(peer, at_byte + sent, n - sent, MSG_NOSIGNAL);
        if (now > 0) sent += (size_t)now;
        if (now < 0 && errno != EAGAIN) break;
        uv_run(&own->loop, UV_RUN_NOWAIT);
        if (info_of(g).state == REDIS_READY) (void)redis_get(g->r, "key", on_got, own, 7);
    }
    close(peer);
    close(fd);
}

static const char *verdict_on(const void *bytes, size_t n) {
    static char why[256];
    rig g;
    begin(&g, "");
    serve_bytes(&g, bytes, n);
    wait_state(&g, REDIS_DOWN);
    snprintf(why, sizeof why, "%s", info_of(&g).why);
    end(&g);
    return why;
}

static void test_bad_peers(void **state) {
    (void)state;
#define VERDICT(text) verdict_on(text, sizeof(text) - 1)
    assert_string_equal(VERDICT("*1000000000\r\n"), "its bytes are not Redis's protocol");
    assert_string_equal(VERDICT("HTTP/1.1 200 OK\r\n\r\n"), "its bytes are not Redis's protocol");
    assert_string_equal(VERDICT("$99999999999999999999\r\n"), "its bytes are not Redis's protocol");
    assert_string_equal(VERDICT("+OK\r\n+OK\r\n+OK\r\n+OK\r\n"), "it answered what was not asked");
    assert_string_equal(VERDICT("-MOVED 1 a:1\r\n"),
                        "it is part of a cluster, which is not supported");
    assert_string_equal(VERDICT("-LOADING x\r\n"), "it is loading its data");
    assert_string_equal(VERDICT("+OK\r\n$5\r\nab"), "it closed the connection");
    size_t n = LIMIT_REDIS_REPLY_BYTES + 100000;
    char *long_one = xmalloc(n);
    memset(long_one, 'a', n);
    memcpy(long_one, "$90000000\r\n", 11);
    assert_string_equal(verdict_on(long_one, n), "its reply is too long");
    memcpy(long_one, "+aaaaaaaaaa", 11);
    assert_string_equal(verdict_on(long_one, n), "its reply is too long");
    xfree(long_one);
}

/* Mutated streams of good replies: whatever comes, the link ends or goes on. */
static void test_random_peers(void **state) {
    (void)state;
    static const char good[] = "+OK\r\n$3\r\nabc\r\n$-1\r\n:12\r\n-ERR no\r\n";
    uint32_t seed = 1;
    for (int round = 0; round < 300; round++) {
        char bytes[sizeof good - 1];
        memcpy(bytes, good, sizeof bytes);
        for (int k = 0; k < 1 + round % 4; k++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[(seed >> 8) % sizeof bytes] = (char)(seed >> 24);
        }
        (void)verdict_on(bytes, sizeof bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_wrapping),
        cmocka_unit_test(test_addresses),    cmocka_unit_test(test_real),
        cmocka_unit_test(test_full),         cmocka_unit_test(test_password),
        cmocka_unit_test(test_hosts_share),  cmocka_unit_test(test_bad_peers),
        cmocka_unit_test(test_random_peers),
    };
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
