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
# Of the tree's own files: what was tried in an example, or what Python left, is nobody's business.
{ git ls-files -z README.md docs examples || find README.md docs examples -type f -print0; } 2>/dev/null |
    xargs -0 cp --parents -t "$doc"
find "$doc" -name '*.py' -delete
printf 'sluice (%s) stable; urgency=low\n\n  * sluice %s.\n\n -- %s  %s\n' \
    "$version" "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
find "$root/usr/share/man" -type f ! -name '*.gz' -exec gzip -9n {} +
install -m755 packaging/postinst packaging/prerm packaging/postrm "$root/DEBIAN/"
echo /etc/default/sluice >"$root/DEBIAN/conffiles"

depends=$(packaging/depends.sh "$root/usr/bin/sluice" "$build/shlibs")

find "$root" -type d -exec chmod 755 {} +
find "$root" -type f -path '*/usr/share/*' -exec chmod 644 {} +
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
(cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$build/md5sums"
install -m644 "$build/md5sums" "$root/DEBIAN/md5sums"
# Of the files alone, as debhelper counts: what folders and blocks take differs from file system to file system.
size_kib=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
cat >"$root/DEBIAN/control" <<CONTROL
Package: sluice
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $size_kib
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
