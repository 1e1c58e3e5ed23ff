#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static int prepare(const struct process_wish *wish, posix_spawn_file_actions_t *files, posix_spawnattr_t *how)
{
    sigset_t none;
    sigemptyset(&none);
    int fault = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!fault)
        fault = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, wish->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (!fault)
        fault = posix_spawn_file_actions_adddup2(files, STDOUT_FILENO, STDERR_FILENO);
    if (!fault)
        fault = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    if (!fault)
        fault = posix_spawnattr_setsigmask(how, &none);
    return fault ? fault : posix_spawnattr_setflags(how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
}

bool process_detach(const struct process_wish *wish, int64_t *ret_pid, GError **error)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    pid_t pid;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    int fault = prepare(wish, &files, &how);
    if (!fault)
        fault = posix_spawn(&pid, wish->argv[0], &files, &how, wish->argv, wish->envp);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    if (fault)
        return error_set_errno(error, fault, "%s, to write to %s", wish->argv[0], wish->log);
    *ret_pid = pid;
    return true;
}

bool process_ended(int64_t pid, int *ret_status)
{
    int status;
    if (waitpid((pid_t)pid, &status, WNOHANG) != (pid_t)pid)
        return false;
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

char *process_self(GError **error)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len <= 0) {
        error_set_errno(error, errno, "/proc/self/exe: the path of this program");
        return NULL;
    }
    return g_strndup(path, (gsize)len);
}
