/* SPDX-License-Identifier: BSD-2-Clause */
/* test_trust.c - only what root or the process's own user alone can write is opened */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/upgrade/build.h"
#include "upgrade/trust.h"

static void refuses(const char *path, uid_t own, int code, const char *words)
{
    mrpc_error error = {0};
    int fd = -1;
    assert_int_equal(mrpc_trust_open(path, own, &fd, &error), code);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void accepts(const char *path)
{
    mrpc_error error = {0};
    int fd = -1;
    if (mrpc_trust_open(path, geteuid(), &fd, &error) != 0)
        fail_msg("%s", error.text);
    close(fd);
}

static void opens_own_file_by_absolute_and_relative_path(void **state)
{
    (void)state;
    run("echo x >%s/file; chmod 644 %s/file", test_folder(), test_folder());
    accepts(in_folder("file"));
    char before[512];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(test_folder()), 0);
    accepts("file");
    accepts("./file");
    assert_int_equal(chdir(before), 0);
}

static void refuses_file_that_others_may_write(void **state)
{
    (void)state;
    run("cd %s; echo x >group; chmod 664 group; echo x >others; chmod 646 others", test_folder());
    refuses(in_folder("group"), geteuid(), MRPC_EPERM, "has mode 0664");
    refuses(in_folder("others"), geteuid(), MRPC_EPERM, "chmod go-w");
}

/* The owner is neither root nor who is asked for: shown with a changed owner when this is root, else with another own
 * user. */
static void refuses_file_of_another_user(void **state)
{
    (void)state;
    run("cd %s; echo x >owner; chmod 644 owner", test_folder());
    if (geteuid() == 0)
        run("chown 65534 %s/owner", test_folder());
    refuses(in_folder("owner"), geteuid() == 0 ? 0 : geteuid() + 1, MRPC_EPERM, "belongs to user");
}

static void refuses_folder_that_others_may_write(void **state)
{
    (void)state;
    run("cd %s; mkdir -p open/inner; echo x >open/inner/file; chmod 777 open", test_folder());
    refuses(in_folder("open/inner/file"), geteuid(), MRPC_EPERM, "the folder");
    run("chmod 1777 %s/open", test_folder());
    accepts(in_folder("open/inner/file"));
}

static void follows_links_of_folders_and_checks_where_they_lead(void **state)
{
    (void)state;
    run("cd %s; mkdir -p real; echo x >real/file; ln -sfn real link; mkdir -p wide; echo x >wide/file; chmod 777 wide; "
        "ln -sfn wide trap",
        test_folder());
    accepts(in_folder("link/file"));
    refuses(in_folder("trap/file"), geteuid(), MRPC_EPERM, "wide");
}

static void refuses_what_is_not_a_regular_file(void **state)
{
    (void)state;
    run("cd %s; mkdir -p folder; mkfifo fifo; echo x >target; ln -s target symlink", test_folder());
    refuses(in_folder("folder"), geteuid(), MRPC_EINVAL, "not a regular file");
    refuses(in_folder("fifo"), geteuid(), MRPC_EINVAL, "not a regular file");
    refuses(in_folder("symlink"), geteuid(), MRPC_EINVAL, "symbolic link");
    refuses(in_folder("absent"), geteuid(), MRPC_ENOENT, "there is no file");
    refuses(in_folder("nowhere/file"), geteuid(), MRPC_ENOENT, "there is no folder");
    refuses(in_folder("target/file"), geteuid(), MRPC_ENOENT, "there is no folder");
    refuses("/", geteuid(), MRPC_EINVAL, "not the path of a file");
    refuses("..", geteuid(), MRPC_EINVAL, "not the path of a file");
    refuses("", geteuid(), MRPC_EINVAL, "not the path of a file");
}

static int clean(void **state)
{
    (void)state;
    remove_folder();
    return 0;
}

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_own_file_by_absolute_and_relative_path),
        cmocka_unit_test(refuses_file_that_others_may_write),
        cmocka_unit_test(refuses_file_of_another_user),
        cmocka_unit_test(refuses_folder_that_others_may_write),
        cmocka_unit_test(follows_links_of_folders_and_checks_where_they_lead),
        cmocka_unit_test(refuses_what_is_not_a_regular_file),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
