/* ROW(word, action, code, words): what is done about a reply that is an error, by its first word. `code` is the error
 * that it becomes where it is not, or not in time, got over. A word that has no row here goes to the caller.
 *
 * The server says each of these instead of executing the command (a script: before its first write), so that a write
 * may be sent again; only of a lost connection that is not known.
 *
 *   THERE    to the server that it names, from now on; and the topology is asked anew
 *   ASK      once, behind ASKING, to the server that it names
 *   HERE     again in a few milliseconds
 *   REFRESH  again in a few milliseconds, wherever the topology, asked anew, says
 *   SLOW     again, in ever longer steps up to seconds, so that the server gets air
 *   PAUSE    like SLOW; what still holds at the deadline is for a person
 *   LOAD     the script is loaded there, then again
 *   STOP     an error at once */
/* clang-format off */
ROW("MOVED",       THERE,   UNREACHABLE,   "the slot belongs to another server")
ROW("ASK",         ASK,     BUSY,          "the slot is on the move, and the key is no longer, or not yet, here")
ROW("TRYAGAIN",    HERE,    BUSY,          "the slot is on the move, and of the command's keys only some are here")
ROW("CLUSTERDOWN", REFRESH, UNREACHABLE,   "the cluster is down, or nobody owns the slot: CLUSTER INFO and CLUSTER SHARDS say what is missing")
ROW("EXECABORT",   HERE,    BUSY,          "a command of the transaction was refused")
ROW("LOADING",     HERE,    BUSY,          "the server is still loading its data: wait until it has (INFO persistence says how long)")
ROW("MASTERDOWN",  REFRESH, UNREACHABLE,   "a replica that has lost its primary: bring that back, or let the replica take over")
ROW("READONLY",    REFRESH, UNREACHABLE,   "a replica; the primary is elsewhere: name that, or the sentinels with ?sentinel=NAME")
ROW("UNBLOCKED",   REFRESH, UNREACHABLE,   "the server has become a replica meanwhile")
ROW("NOREPLICAS",  SLOW,    BUSY,          "the server takes no writes while too few replicas are in step (min-replicas-to-write): bring them back, then the same command goes on")
ROW("BUSY",        SLOW,    BUSY,          "a script of somebody else is running for too long; SCRIPT KILL ends it")
ROW("OOM",         PAUSE,   STORE,         "the server's memory is full (maxmemory): give it more, or remove what is not needed, then the same command goes on")
ROW("MISCONF",     PAUSE,   STORE,         "the server takes no writes because it cannot save to its disk: its log says why; then the same command goes on")
ROW("NOSCRIPT",    LOAD,    STORE,         "the server does not keep the scripts it is given")
ROW("NOAUTH",      STOP,    NOT_PERMITTED, "the server wants a user and a password: valkey://USER:${env:PASSWORD}@HOST")
ROW("NOPERM",      STOP,    NOT_PERMITTED, "the user may not do this; `sluice doctor` lists the rights it needs")
ROW("WRONGTYPE",   CALLER,  BAD_RECORD,    "the key holds another type than `as` says")
ROW("(nothing)",   REFRESH, UNREACHABLE,   "the connection was lost")
/* clang-format on */
