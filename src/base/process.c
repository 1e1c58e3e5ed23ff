#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
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

/* --- waited for --------------------------------------------------------------------------------------------------- */

enum { LOOK_MS = 20, CHUNK_BYTES = 16 << 10 };

struct running {
    const struct process_call *call;
    pid_t pid;
    int in, out; /* our ends; -1: closed */
    size_t sent;
    GString *kept;
    size_t printed;
};

static void shut(int *io_fd)
{
    if (*io_fd >= 0)
        close(*io_fd);
    *io_fd = -1;
}

static int files_of(posix_spawn_file_actions_t *files, const struct process_call *call, int in, int out)
{
    int fault = posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO);
    if (!fault)
        fault = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
    if (!fault)
        fault = call->mute ? posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
                           : posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
    if (!fault)
        fault = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    return fault || !call->dir ? fault : posix_spawn_file_actions_addchdir_np(files, call->dir);
}

/* Signals are blocked in our threads, and a broken pipe is ignored: neither is for others to inherit. */
static int how_of(posix_spawnattr_t *how)
{
    sigset_t none, broken;
    sigemptyset(&none);
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    int fault = posix_spawnattr_setsigmask(how, &none);
    if (!fault)
        fault = posix_spawnattr_setsigdefault(how, &broken);
    return fault ? fault
                 : posix_spawnattr_setflags(how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int start(struct running *running, int in, int out)
{
    const struct process_call *call = running->call;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    int fault = files_of(&files, call, in, out);
    if (!fault)
        fault = how_of(&how);
    if (!fault)
        fault = posix_spawnp(&running->pid, call->argv[0], &files, &how, (char *const *)call->argv,
                             (char *const *)call->envp);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return fault;
}

static bool begin(struct running *running, GError **error)
{
    int in[2], out[2], fault;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0)
        return error_set_errno(error, errno, "%s: a pipe to it", running->call->argv[0]);
    if (pipe2(out, O_CLOEXEC) != 0) {
        fault = errno;
        close(in[0]);
        close(in[1]);
        return error_set_errno(error, fault, "%s: a pipe from it", running->call->argv[0]);
    }
    fault = start(running, in[1], out[1]);
    close(in[1]);
    close(out[1]);
    running->in = in[0];
    running->out = out[0];
    fcntl(running->out, F_SETFL, O_NONBLOCK);
    return !fault || error_set_errno(error, fault, "%s", running->call->argv[0]);
}

static void feed(struct running *running)
{
    struct slice input = running->call->input;
    while (running->in >= 0 && running->sent < input.len) {
        ssize_t n =
            send(running->in, input.data + running->sent, input.len - running->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            break; /* it does not want to know */
        running->sent += (size_t)n;
    }
    shut(&running->in);
}

static void keep(struct running *running, const char *text, size_t len)
{
    const struct process_call *call = running->call;
    size_t most = call->keep_bytes;
    if (call->heard)
        call->heard(call->heard_self, text, len);
    g_string_append_len(running->kept, text, (gssize)len);
    running->printed += len;
    if (running->kept->len > most)
        g_string_erase(running->kept, 0, (gssize)(running->kept->len - most));
}

static void listen_to(struct running *running)
{
    char chunk[CHUNK_BYTES];
    for (int i = 0; running->out >= 0 && i < 64; i++) { /* one that never stops printing is looked after in between */
        ssize_t n = read(running->out, chunk, sizeof chunk);
        if (n > 0)
            keep(running, chunk, (size_t)n);
        else if (n == 0)
            shut(&running->out);
        else if (errno != EINTR)
            return;
    }
}

static void wait_a_moment(struct running *running)
{
    struct pollfd polls[2] = {{.fd = running->in, .events = POLLOUT}, {.fd = running->out, .events = POLLIN}};
    poll(polls, 2, LOOK_MS);
}

static bool is_cancelled(const struct process_call *call)
{
    return (call->cancel && atomic_load(call->cancel)) || (call->signals && atomic_load(call->signals));
}

/* Until it has ended; false: it was killed. */
static bool attend(struct running *running, const struct world *world, int *ret_status, GError **error)
{
    const struct process_call *call = running->call;
    int64_t until_us = world_monotonic_us(world) + call->timeout_us;
    while (!process_ended(running->pid, ret_status)) {
        bool cancelled = is_cancelled(call);
        feed(running);
        listen_to(running);
        if (!cancelled && world_monotonic_us(world) < until_us) {
            wait_a_moment(running);
            continue;
        }
        kill(-running->pid, SIGKILL);
        while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        listen_to(running);
        return error_set(error, cancelled ? SLUICE_ERROR_CANCELLED : SLUICE_ERROR_TIMED_OUT, "%s: %s, and was killed",
                         call->argv[0], cancelled ? "it was stopped" : "it took too long");
    }
    listen_to(running);
    return true;
}

bool process_run(const struct world *world, const struct process_call *call, struct process_end *ret, GError **error)
{
    struct running running = {.call = call, .in = -1, .out = -1, .kept = g_string_new(NULL)};
    struct process_end end = {0};
    bool began = begin(&running, error);
    bool ended = began && attend(&running, world, &end.status, error);
    shut(&running.in);
    shut(&running.out);
    end.output_len = running.kept->len;
    end.printed = running.printed;
    end.output = g_string_free(running.kept, !began);
    *ret = end;
    return ended;
}

char **process_environment(void)
{
    static const char *const KEPT[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"};
    char **envp = g_new0(char *, 1);
    for (size_t i = 0; i < G_N_ELEMENTS(KEPT); i++)
        if (g_getenv(KEPT[i]))
            envp = g_environ_setenv(envp, KEPT[i], g_getenv(KEPT[i]), TRUE);
    return envp;
}
