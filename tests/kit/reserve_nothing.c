/* RocksDB reserves megabytes ahead of each log that it begins, and gives back what it has not used when it closes it. A
 * file system in memory fills them with zeros, page by page: a third of what a life on RocksDB cost. It is a hint,
 * which file systems need not take; a program that is linked with this takes none. */
#include <stdint.h>

int reserve_nothing(int fd, int mode, int64_t offset, int64_t len) __asm__("fallocate");

int reserve_nothing(int fd, int mode, int64_t offset, int64_t len)
{
    return 0;
}
