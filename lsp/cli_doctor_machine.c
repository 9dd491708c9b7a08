/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor finds out about the machine: processor, CPU quota, memory, device, grammars, editors.
 * Reads /proc and /sys (absent: "unknown"), asks the kernels for their backend, and runs editors
 * with a time limit.  Thread: main. */
#include <unistd.h>

#include "context/context.h"
#include "engine/base/file.h"
#include "engine/base/mem.h"
#include "kernels/kernels.h"
#include "lsp/cli_doctor.h"
#include "lsp/tiers_choose.h"

/* Below this a 135M model with its cache would push editor and compiler out. */
#define MEMORY_NEEDED (600ull << 20)

static bool read_small(const char *path, strbuf *out) {
    err ignored;
    strbuf_clear(out);
    return file_read(path, 1u << 20, out, &ignored) == OK;
}

static void check_processor(check_vec *v) {
    strbuf features;
    strbuf_init(&features, 256);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) strbuf_add_str(&features, STR(" avx2"));
    if (__builtin_cpu_supports("fma")) strbuf_add_str(&features, STR(" fma"));
    if (__builtin_cpu_supports("avx512f")) strbuf_add_str(&features, STR(" avx512f"));
    if (__builtin_cpu_supports("avx512vnni")) strbuf_add_str(&features, STR(" avx512vnni"));
#endif
    check_add(v, "processor", true, "%s",
              features.len ? features.ptr + 1 : "no vector extension that inlined knows: slow");
    strbuf_deinit(&features);
}

/* CPUs that the cgroup lets us use; 0: no quota. */
static double quota_cpus(void) {
    strbuf text;
    strbuf_init(&text, 1u << 20);
    double cpus = 0, quota = 0, period = 0;
    if (read_small("/sys/fs/cgroup/cpu.max", &text)) {
        str rest = str_trim(strbuf_str(&text)), first;
        if (str_split(&rest, ' ', &first) && str_to_f64(first, &quota) &&
            str_to_f64(rest, &period) && period > 0) {
            cpus = quota / period;
        }
    } else if (read_small("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &text) &&
               str_to_f64(str_trim(strbuf_str(&text)), &quota) && quota > 0 &&
               read_small("/sys/fs/cgroup/cpu/cpu.cfs_period_us", &text) &&
               str_to_f64(str_trim(strbuf_str(&text)), &period) && period > 0) {
        cpus = quota / period;
    }
    strbuf_deinit(&text);
    return cpus;
}

static void check_threads(check_vec *v) {
    double quota = quota_cpus();
    char limit[64] = "no quota";
    if (quota > 0) snprintf(limit, sizeof limit, "a quota of %.1f", quota);
    check *c = check_add(v, "threads", quota <= 0 || quota >= 1, "%ld processors online, %s",
                         sysconf(_SC_NPROCESSORS_ONLN), limit);
    if (!c->ok) check_fix(c, "give the container at least one whole processor");
}

static void check_memory(check_vec *v) {
    strbuf text;
    strbuf_init(&text, 1u << 20);
    double kib = 0;
    if (read_small("/proc/meminfo", &text)) {
        str rest = strbuf_str(&text), line;
        while (str_split(&rest, '\n', &line)) {
            if (!str_starts_with(line, STR("MemAvailable:"))) continue;
            line = str_trim(str_sub(line, 13, line.len));
            ptrdiff_t space = str_find(line, STR(" "));
            if (space < 0 || !str_to_f64(str_sub(line, 0, (size_t)space), &kib)) kib = 0;
        }
    }
    strbuf_deinit(&text);
    if (kib <= 0) {
        check_add(v, "memory", true, "unknown: /proc/meminfo does not say");
        return;
    }
    double bytes = kib * 1024;
    check *c =
        check_add(v, "memory", bytes >= (double)MEMORY_NEEDED, "%.1f GB available", bytes / 1e9);
    if (!c->ok) check_fix(c, "free %.0f MB: close something large", (double)MEMORY_NEEDED / 1e6);
}

/* Which model serves what, and why that one. */
static void check_tiers(check_vec *v, const settings *st, const k_backend *b) {
    uint64_t all;
    tier_memory have = {.host = engine_host_memory()};
    k_device_memory(b, &have.device, &all);
    tier_survey chosen;
    tiers_survey(st, &have, &chosen);
    for (model_tier t = 0; t < TIER_COUNT; t++) {
        const char *why, *name = model_tier_wish(st, &chosen, t, &why);
        strbuf roles;
        strbuf_init(&roles, 200);
        for (model_role r = 0; r < ROLE_COUNT; r++)
            if (st->roles[r] == t)
                strbuf_addf(&roles, "%s%s", roles.len ? ", " : "", model_role_name(r));
        check_add(v, "tier", true, "%s (%s): %s; %s", model_tier_name(t),
                  roles.len ? roles.ptr : "no role", name[0] ? name : "the default model", why);
        strbuf_deinit(&roles);
    }
}

static void check_backend(check_vec *v, const settings *st) {
    static const k_device devices[] = {
        [DEVICE_AUTO] = K_AUTO, [DEVICE_CPU] = K_CPU, [DEVICE_CUDA] = K_CUDA, [DEVICE_REF] = K_REF};
    k_backend *b = NULL;
    err e;
    const k_options options = {devices[st->engine.device], st->engine.threads};
    if (k_open(&b, &options, &e) != OK) {
        check_fix(check_add(v, "backend", false, "%s", e.text), "run without --device");
        return;
    }
    check_add(v, "backend", true, "%s: %s", k_backend_name(b), k_backend_why(b));
    check_tiers(v, st, b);
    k_close(b);
    const k_options cuda = {K_CUDA, 0};
    b = NULL;
    bool usable = k_open(&b, &cuda, &e) == OK;
    bool device = access("/proc/driver/nvidia/version", R_OK) == 0;
    check_add(v, "cuda", true, "%s%s", usable ? k_backend_name(b) : e.text,
              usable   ? ""
              : device ? " (an NVIDIA driver is here)"
                       : " (no NVIDIA driver here)");
    k_close(b);
}

void check_machine(check_vec *v, const settings *st) {
#ifdef __clang__
    const char *compiler = "clang";
#else
    const char *compiler = "gcc";
#endif
    check_add(v, "program", true, "inlined %s, %s %s", INLINED_VERSION, compiler, __VERSION__);
    check_processor(v);
    check_threads(v);
    check_memory(v);
    check_backend(v, st);
}

void check_grammars(check_vec *v) {
    static const char *const samples[] = {"a.sh",   "a.c",    "a.cpp", "a.cs",   "a.css", "a.go",
                                          "a.html", "a.java", "a.js",  "a.json", "a.lua", "a.php",
                                          "a.py",   "a.rb",   "a.rs",  "a.tsx",  "a.ts",  "a.yaml"};
    strbuf have, lack;
    strbuf_init(&have, 256);
    strbuf_init(&lack, 256);
    context *ctx = context_new();
    for (size_t i = 0; i < COUNTOF(samples); i++) {
        str file = str_of(samples[i]);
        document *d = NULL;
        err e;
        bool good = context_open(ctx, file, file, STR(""), STR("\n"), 1, &d, &e) == OK &&
                    document_has_syntax(d);
        strbuf *list = good ? &have : &lack;
        strbuf_addf(list, "%s%s", list->len ? ", " : "", context_language(file, STR("")));
    }
    context_free(ctx);
    check *c = check_add(v, "grammars", lack.len == 0, "%s%s%s", have.len ? have.ptr : "none",
                         lack.len ? "; missing: " : "", lack.len ? lack.ptr : "");
    if (!c->ok) check_fix(c, "build again with ./bootstrap, which fetches the grammars");
    strbuf_deinit(&have);
    strbuf_deinit(&lack);
}

/* First line that the command writes, or false when it fails. */
static bool first_line(const char *command, char *out, size_t room) {
    FILE *p = popen(command, "r");
    if (!p) return false;
    bool got = fgets(out, (int)room, p) != NULL;
    char rest[256];
    while (fgets(rest, sizeof rest, p)) {
    }
    out[got ? strcspn(out, "\r\n") : 0] = 0;
    return pclose(p) == 0 && got;
}

void check_editors(check_vec *v) {
    char line[128], plugin[16] = "0";
    bool any = false;
    if (first_line("timeout 5 nvim --version 2>/dev/null", line, sizeof line)) {
        any = true;
        bool found = first_line("timeout 10 nvim --headless -c 'lua io.stdout:write(#vim.api."
                                "nvim_get_runtime_file(\"lua/inlined/init.lua\", false))' -c qa "
                                "2>/dev/null </dev/null",
                                plugin, sizeof plugin) &&
                     strcmp(plugin, "0") != 0;
        check *c = check_add(v, "neovim", true, "%s, plugin %s", line,
                             found ? "found" : "not on its runtimepath");
        if (!found) check_fix(c, "./bootstrap install prints the line for your init.lua");
    }
    if (first_line("timeout 10 code --version 2>/dev/null", line, sizeof line)) {
        any = true;
        check_add(v, "vscode", true, "VS Code %s", line);
    }
    if (!any) {
        check_add(v, "editors", true,
                  "no nvim and no code on PATH; any editor that speaks LSP can start "
                  "'inlined --stdio'");
    }
}
