#include "kit/servers.h"

#include "kit/kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 16384, TRIES = 20000, ARGS_MOST = 64, REPLY_MOST = 1 << 20 };

char *servers_find(const char *name, const char *variable)
{
    const char *told = variable ? g_getenv(variable) : NULL;
    if (told && g_file_test(told, G_FILE_TEST_IS_DIR)) {
        g_autofree char *within = g_build_filename(told, name, NULL);
        return g_find_program_in_path(within);
    }
    return g_find_program_in_path(told && *told ? told : name);
}

static struct sockaddr_in address_of(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* A port that the system gives to nobody else until it is closed; a server, which takes addresses that are in use where
 * nobody listens, can have it meanwhile. */
static int held_port(uint16_t *ret)
{
    struct sockaddr_in address = address_of(0);
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        g_error("no free port: %s", g_strerror(errno));
    *ret = ntohs(address.sin_port);
    return fd;
}

static int connected(const struct servers *servers, unsigned i)
{
    struct sockaddr_in address = address_of(servers->ports[i]);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Of a bulk reply all of it, else a line. */
static bool is_whole(const GString *reply, bool all)
{
    const char *end = strstr(reply->str, "\r\n");
    if (!end || !all || reply->str[0] != '$')
        return end != NULL;
    return reply->len >= (size_t)(end + 2 - reply->str) + g_ascii_strtoull(reply->str + 1, NULL, 10) + 2;
}

char *servers_ask(const struct servers *servers, unsigned i, const char *command, bool all)
{
    g_autoptr(GString) reply = g_string_new(NULL);
    g_autofree char *line = g_strconcat(command, "\r\n", NULL);
    int fd = connected(servers, i);
    char some[4096];
    ssize_t n = fd < 0 ? -1 : write(fd, line, strlen(line));
    while (n > 0 && !is_whole(reply, all) && reply->len < REPLY_MOST && (n = read(fd, some, sizeof some)) > 0)
        g_string_append_len(reply, some, n);
    if (fd >= 0)
        close(fd);
    return g_strdup(reply->str);
}

/* Until the reply to the command contains the text. */
static void wait_for(const struct servers *servers, unsigned i, const char *command, const char *text)
{
    for (unsigned try = 0; try < TRIES; try++) {
        g_autofree char *reply = servers_ask(servers, i, command, true);
        if (strstr(reply, text))
            return;
        poll(NULL, 0, 1);
    }
    g_error("%s on port %u does not answer '%s' with '%s'", servers->program, servers->ports[i], command, text);
}

static void become(const struct servers *servers, const char *const *args)
{
    g_autofree char *log = g_strdup_printf("%s/server-%u.log", servers->dir, servers->ports[servers->n]);
    int fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(servers->program, (char *const *)args);
    _exit(127);
}

unsigned servers_start(struct servers *servers, const char *const *more)
{
    g_assert(servers->n < SERVERS_MOST);
    int held = held_port(&servers->ports[servers->n]);
    g_autofree char *port = g_strdup_printf("%u", servers->ports[servers->n]);
    const char *args[ARGS_MOST] = {servers->program, "--port",     port,           "--bind", "127.0.0.1", "--save", "",
                                   "--dir",          servers->dir, "--appendonly", "no"};
    for (size_t at = 11; more && *more && at < ARGS_MOST - 1; more++)
        args[at++] = *more;
    pid_t pid = fork();
    if (pid == 0)
        become(servers, args);
    if (pid < 0)
        g_error("%s cannot be started: %s", servers->program, g_strerror(errno));
    servers->pids[servers->n] = pid;
    wait_for(servers, servers->n, "PING", "PONG");
    close(held);
    return servers->n++;
}

static void own(const struct servers *servers, unsigned i, unsigned n)
{
    g_autofree char *slots = g_strdup_printf("CLUSTER ADDSLOTSRANGE %u %u", SLOTS * i / n, SLOTS * (i + 1) / n - 1);
    g_autofree char *epoch = g_strdup_printf("CLUSTER SET-CONFIG-EPOCH %u", i + 1);
    g_free(servers_ask(servers, i, slots, false));
    g_free(servers_ask(servers, i, epoch, false));
}

void servers_start_cluster(struct servers *servers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint16_t bus_port;
        int held = held_port(&bus_port);
        g_autofree char *bus = g_strdup_printf("%u", bus_port);
        g_autofree char *nodes = g_strdup_printf("nodes-%u.conf", i);
        const char *more[] = {"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-config-file", nodes, NULL};
        servers_start(servers, more);
        close(held);
        own(servers, i, n);
        g_autofree char *meet = g_strdup_printf("CLUSTER MEET 127.0.0.1 %u %s", servers->ports[i], bus);
        if (i > 0)
            g_free(servers_ask(servers, 0, meet, false));
    }
    g_autofree char *size = g_strdup_printf("cluster_known_nodes:%u", n);
    for (unsigned i = 0; i < n; i++) {
        wait_for(servers, i, "CLUSTER INFO", size);
        wait_for(servers, i, "CLUSTER INFO", "cluster_slots_ok:16384");
        wait_for(servers, i, "CLUSTER INFO", "cluster_state:ok");
    }
}

void servers_find_cluster(struct servers *servers, unsigned n)
{
    servers->program = servers_find("redis-server", NULL);
    if (!servers->program)
        return;
    assert_int_equal(kit_dir_setup((void **)&servers->dir), 0);
    servers_start_cluster(servers, n);
}

void servers_stop(struct servers *servers)
{
    for (unsigned i = 0; i < servers->n; i++) {
        kill(servers->pids[i], SIGKILL);
        waitpid(servers->pids[i], NULL, 0);
    }
    servers->n = 0;
}

void servers_start_alone(struct servers *servers)
{
    *servers = (struct servers){.program = servers_find("redis-server", NULL)};
    if (!servers->program)
        return;
    assert_int_equal(kit_dir_setup((void **)&servers->dir), 0);
    servers_start(servers, NULL);
}

void servers_or_skip(const struct servers *servers)
{
    if (!servers->program)
        kit_skip("redis-server is not installed");
}

void servers_end(struct servers *servers)
{
    if (servers->program) {
        servers_stop(servers);
        kit_dir_teardown((void **)&servers->dir);
    }
    g_free((char *)servers->program);
}
