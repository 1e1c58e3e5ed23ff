/* What a mem store holds. Callers hold `lock` for as long as they use what these functions return. */
#pragma once

#include "base/lock.h"
#include "store/fence.h"
#include "store/keyed.h"

/* One record, in one piece of memory: the key's bytes, then the value's. */
struct mem_record {
    struct slice key;
    struct keyed_value value;
    uint8_t bytes[];
};

struct mem_content {
    pthread_mutex_t lock;
    GTree *datasets; /* char * → GTree of struct mem_record by key */
    GTree *fences;   /* FENCE_KEY_BYTES → struct fence_state */
    GTree *locks;    /* char * (dataset) → struct mem_lock */
    GTree *ends;     /* uid of a run, 16 bytes → GBytes */
    GTree *changes;  /* char * (dataset) → struct mem_changes; none: never written */
};

/* Of a dataset, its shadows included. */
struct mem_changes {
    uint64_t n;
    bool mortal; /* a record that is to expire was put there once */
};

struct mem_lock {
    uint8_t run_uid[16];
    char *run, *host, *home;
};

struct mem_content *mem_content_new(void);
struct mem_content *mem_content_copy(struct mem_content *content); /* holds its lock meanwhile */
void mem_content_free(struct mem_content *content);

/* NULL: no such dataset; `make` makes it. */
GTree *mem_dataset(struct mem_content *content, const char *name, bool make);

void mem_put(GTree *dataset, struct slice key, struct slice raw, int64_t expires_at_ms);
/* A record of a shadow; raw NULL: a deletion. */
void mem_put_shadow(GTree *shadow, struct slice key, const struct slice *raw, int64_t expires_at_ms);

/* What a call sees: the dataset, or with a run's shadow over it. `make` makes what is to be written. */
struct mem_view {
    GTree *live, *shadow; /* NULL: there is none */
    int64_t now_ms;
};
struct mem_view mem_view(struct mem_content *content, const struct dataset *ds, int64_t now_ms, bool make);
/* NULL: absent. */
const struct keyed_value *mem_shown(const struct mem_view *view, struct slice key);
extern const struct shadow_ops mem_shadow_ops;
void mem_remove(GTree *dataset, struct slice key);
/* The node of the smallest key that is not below `from`; NULL: none. Expired ones too. */
GTreeNode *mem_seek(GTree *dataset, struct slice from);

/* Made where there are none. */
struct mem_changes *mem_changes_of(struct mem_content *content, const char *dataset);

struct fence_state *mem_fence(struct mem_content *content, const struct fence_id *id, bool make);

extern const struct write_ops mem_write_ops;

/* What a session of mem needs of its store. */
struct mem_content *mem_content_of(struct session *session);
int64_t mem_now_ms(struct session *session);
