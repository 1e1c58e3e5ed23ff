#include "base/person.h"

#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

enum { LOOKUP_BYTES = 64 * 1024 };

static char *user_name(uid_t uid)
{
    struct passwd row, *found = NULL;
    g_autofree char *room = g_malloc(LOOKUP_BYTES);
    if (getpwuid_r(uid, &row, room, LOOKUP_BYTES, &found) == 0 && found)
        return g_strdup(found->pw_name);
    return g_strdup_printf("%lu", (unsigned long)uid);
}

static char *group_name(gid_t gid)
{
    struct group row, *found = NULL;
    g_autofree char *room = g_malloc(LOOKUP_BYTES);
    if (getgrgid_r(gid, &row, room, LOOKUP_BYTES, &found) == 0 && found)
        return g_strdup(found->gr_name);
    return g_strdup_printf("%lu", (unsigned long)gid);
}

static char **group_names(void)
{
    GPtrArray *names = g_ptr_array_new();
    int n = getgroups(0, NULL);
    g_autofree gid_t *gids = g_new0(gid_t, (size_t)(n > 0 ? n : 0) + 1);
    n = getgroups(n > 0 ? n : 0, gids);
    g_ptr_array_add(names, group_name(getegid()));
    for (int i = 0; i < n; i++)
        g_ptr_array_add(names, group_name(gids[i]));
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

struct person *person_here(void)
{
    struct person *person = g_new0(struct person, 1);
    person->user = user_name(geteuid());
    person->groups = group_names();
    return person;
}

struct person *person_of(const char *user, const char *groups)
{
    struct person *person = g_new0(struct person, 1);
    person->user = g_strdup(user);
    person->groups = g_strsplit(groups ? groups : "", " ", -1);
    return person;
}

void person_free(struct person *person)
{
    if (!person)
        return;
    g_free(person->user);
    g_strfreev(person->groups);
    g_free(person);
}

bool person_is(const struct person *person, const char *name)
{
    return strcmp(person->user, name) == 0 || g_strv_contains((const char *const *)person->groups, name);
}

bool person_known(const char *name)
{
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    g_autofree char *room = g_malloc(LOOKUP_BYTES);
    if (getpwnam_r(name, &user, room, LOOKUP_BYTES, &found_user) == 0 && found_user)
        return true;
    return getgrnam_r(name, &group, room, LOOKUP_BYTES, &found_group) == 0 && found_group;
}
