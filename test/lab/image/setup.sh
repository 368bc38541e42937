#!/bin/sh
# Runs once when a tree is built, after its packages. $1: the tree.
set -eu
root=$1

echo slicectl-lab >"$root/etc/hostname"
printf '127.0.0.1 localhost slicectl-lab\n::1 localhost\n' >"$root/etc/hosts"
# A machine that knows its id does not take each boot for its first one.
echo 5c1ce0715c1ce0715c1ce0715c1ce071 >"$root/etc/machine-id"
echo LANG=C.UTF-8 >"$root/etc/default/locale"

chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash alice
chroot "$root" useradd --create-home --uid 1001 --shell /bin/bash bob
mkdir -p "$root/var/lib/systemd/linger" "$root/opt/slicectl" "$root/usr/local/bin"
: >"$root/var/lib/systemd/linger/alice"

cat >"$root/usr/local/bin/slicectl" <<'WRAPPER'
#!/bin/sh
exec /usr/local/bin/node /opt/slicectl/dist/cli/main.js "$@"
WRAPPER
chmod 755 "$root/usr/local/bin/slicectl"
: >"$root/usr/local/bin/node"

for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
	fstrim.timer systemd-timesyncd.service systemd-networkd-wait-online.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
