/* storehost SOCKET STORE: has STORE open and serves it on SOCKET, until its input ends. Says `ready` when it does. */
#include <stdio.h>
#include <unistd.h>

#include "storehost/serve.h"

static bool serve(const char *path, const char *uri, GError **error)
{
    g_autofree char *here = g_get_current_dir();
    struct store_config config = {.uri = uri, .base_dir = here};
    auto_(store_registry) registry = store_registry_new(world_real(), NULL);
    struct store *store = NULL;
    if (!store_open(&store, registry, &config, error))
        return false;
    auto_(server) server = NULL;
    if (!server_new(&server, store, world_real(), path, error))
        return false;
    printf("ready\n");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return true;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: storehost SOCKET STORE\n");
        return 2;
    }
    if (serve(argv[1], argv[2], &error))
        return 0;
    fprintf(stderr, "%s\n", error->message);
    return error_exit_status(error);
}
