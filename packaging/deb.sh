#!/usr/bin/env bash
# Packs what `meson install` leaves in a folder: packaging/deb.sh BUILD, from the root of the tree. Leaves BUILD/sluice_*.deb.
set -euo pipefail

build=$1
root=$build/root
version=$(sed -n "s/^project('sluice', 'c', version: '\([^']*\)'.*/\1/p" meson.build)
architecture=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-sluice} <${DEBEMAIL:-sluice@localhost}>" # whoever builds it
# The same bytes from the same tree: files are as old as the newest commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

rm -rf "$root" "$build"/sluice_*.deb
DESTDIR=$(realpath -m "$root") meson install -C "$build" --no-rebuild --strip >/dev/null
doc=$root/usr/share/doc/sluice
install -d "$doc" "$root/DEBIAN"
install -Dm644 packaging/sluice.service "$root/lib/systemd/system/sluice.service"
install -Dm644 packaging/default "$root/etc/default/sluice"
install -Dm644 packaging/copyright "$doc/copyright"
cp -r README.md docs examples "$doc/"
find "$doc" -name '*.py' -delete
printf 'sluice (%s) stable; urgency=low\n\n  * sluice %s.\n\n -- %s  %s\n' \
    "$version" "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
find "$root/usr/share/man" -type f ! -name '*.gz' -exec gzip -9n {} +
install -m755 packaging/postinst packaging/prerm packaging/postrm "$root/DEBIAN/"
echo /etc/default/sluice >"$root/DEBIAN/conffiles"

# What the program is linked with, by the packages that have it; dpkg-shlibdeps wants a source package around it.
install -d "$build/shlibs/debian"
printf 'Source: sluice\n\nPackage: sluice\nArchitecture: any\n' >"$build/shlibs/debian/control"
# What it loads by itself, when a command needs it (src/base/later.h), a library that is not packed is linked with.
read -ra loaded <<<"$(pkg-config --libs libcurl libmicrohttpd gnutls)"
echo 'extern int none;' | cc -shared -x c - -o "$build/shlibs/loaded.so" -Wl,--no-as-needed "${loaded[@]}"
depends=$(cd "$build/shlibs" && dpkg-shlibdeps -O --ignore-missing-info "$(realpath "../root/usr/bin/sluice")" ./loaded.so 2>/dev/null |
    sed 's/^shlibs:Depends=//')

find "$root" -type d -exec chmod 755 {} +
find "$root" -type f -path '*/usr/share/*' -exec chmod 644 {} +
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$build/md5sums"
install -m644 "$build/md5sums" "$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<CONTROL
Package: sluice
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends, adduser
Recommends: ca-certificates
Suggests: prometheus, default-mta | mail-transport-agent
Section: database
Priority: optional
Description: staged backfills on live NoSQL clusters
 sluice moves, recomputes, checks and, when it must, takes back data on
 clusters with live traffic: in stages, each verified before the next one
 begins, at the pace that the cluster can take, with every action on record.
CONTROL
touch -d "@$SOURCE_DATE_EPOCH" "$root/DEBIAN/control" "$root/DEBIAN/md5sums"
dpkg-deb --root-owner-group --build "$root" "$build/sluice_${version}_${architecture}.deb" >/dev/null
echo "$build/sluice_${version}_${architecture}.deb"
