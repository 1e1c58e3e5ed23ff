#!/usr/bin/env bash
# Prints which packages a program needs, as Depends has them: packaging/depends.sh PROGRAM FOLDER, which is for what it makes.
set -euo pipefail

# What it loads by itself, when a command needs it (src/base/later.h): how pkg-config calls the library, and how its names begin.
LOADED='
libcurl        curl_
libmicrohttpd  MHD_
gnutls         gnutls_
rocksdb        rocksdb_
'

program=$(realpath "$1")
install -d "$2/debian"
cd "$2"
printf 'Source: sluice\n\nPackage: sluice\nArchitecture: any\n' >debian/control # dpkg-shlibdeps wants a source package around it

# What is looked up at run time stands in the program as text. A library that is linked with the same names, and not packed, needs
# the same versions; it is not made where a name is nobody's.
objects=("$program")
while read -r library prefix; do
    [ -n "$library" ] || continue
    read -ra flags <<<"$(pkg-config --libs "$library")"
    uses=$(strings -d "$program" | grep -xE "${prefix}[a-z0-9_]+" | LC_ALL=C sort -u |
        sed 's/.*/extern char &[]; char *use_& = &;/') || {
        echo "$0: $program names nothing of $library, which it is said to load" >&2
        exit 1
    }
    cc -shared -fPIC -x c - -o "loads-$library.so" -Wl,-z,defs "${flags[@]}" <<<"$uses"
    objects+=("./loads-$library.so")
done <<<"$LOADED"

dpkg-shlibdeps -O "${objects[@]}" 2>shlibdeps.log | sed 's/^shlibs:Depends=//' || {
    cat shlibdeps.log >&2
    exit 1
}
