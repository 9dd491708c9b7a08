/* SPDX-License-Identifier: Apache-2.0 */
/* Windows that have one file of approvals in common: none takes back what another was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mcp/approvals.h"

static int setup(void **state) {
    static char folder[64];
    snprintf(folder, sizeof folder, "/tmp/inlined_approvals_XXXXXX");
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    char command[100];
    snprintf(command, sizeof command, "chmod -R u+w %s && rm -r %s", (char *)*state,
             (char *)*state);
    return system(command);
}

static void two_windows(void **state) {
    approvals *one = approvals_open(*state), *two = approvals_open(*state);
    assert_false(approvals_has_server(two, "h1"));
    approvals_add_server(one, "h1", "first");
    approvals_save(one);
    assert_true(approvals_has_server(two, "h1")); /* it is the user's */
    approvals_add_server(two, "h2", "second");
    cJSON *definition = cJSON_CreateObject();
    approvals_set_pin(two, "h2", "tool", "pin", definition);
    approvals_save(two);
    assert_true(approvals_has_server(one, "h2"));
    assert_string_equal(approvals_pin(one, "h2", "tool"), "pin");
    assert_non_null(approvals_definition(one, "h2", "tool"));
    assert_false(approvals_has_tool(one, "h2", "pin"));
    approvals_add_tool(one, "h2", "pin", "tool");
    approvals_save(one);
    assert_true(approvals_has_tool(two, "h2", "pin"));
    assert_true(approvals_has_server(two, "h1"));

    /* What was taken back stays so, whatever others write later. */
    approvals_remove_server(one, "h2");
    approvals_save(one);
    approvals_add_server(two, "h3", "third");
    approvals_free(two); /* writes */
    assert_false(approvals_has_server(one, "h2"));
    assert_false(approvals_has_tool(one, "h2", "pin"));
    assert_null(approvals_pin(one, "h2", "tool"));
    approvals_free(one);
    approvals *later = approvals_open(*state);
    assert_true(approvals_has_server(later, "h1") && approvals_has_server(later, "h3"));
    assert_false(approvals_has_server(later, "h2"));
    approvals_free(later);
    cJSON_Delete(definition);
}

/* A file that is damaged by others counts as empty, and is written anew; one that is gone, too. */
static void damaged(void **state) {
    char path[100];
    snprintf(path, sizeof path, "%s/approvals.json", (char *)*state);
    approvals *a = approvals_open(*state);
    approvals_add_server(a, "h1", "first");
    approvals_save(a);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("{\"servers\": [", f);
    fclose(f);
    assert_false(approvals_has_server(a, "h1"));
    approvals_add_server(a, "h2", "second");
    approvals_save(a);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_false(approvals_has_server(a, "h2"));
    approvals_free(a);
}

/* Without a folder, and where nothing can be written, it is remembered as long as the window is. */
static void not_written(void **state) {
    char below_a_file[100];
    snprintf(below_a_file, sizeof below_a_file, "%s/file", (char *)*state);
    FILE *f = fopen(below_a_file, "w");
    assert_non_null(f);
    fclose(f);
    snprintf(below_a_file, sizeof below_a_file, "%s/file/state", (char *)*state);
    const char *const folders[] = {NULL, below_a_file};
    for (size_t i = 0; i < COUNTOF(folders); i++) {
        approvals *a = approvals_open(folders[i]);
        approvals_add_server(a, "h1", "first");
        approvals_save(a);
        approvals_add_server(a, "h2", "second");
        approvals_save(a);
        assert_true(approvals_has_server(a, "h1") && approvals_has_server(a, "h2"));
        approvals_free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(not_written, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
