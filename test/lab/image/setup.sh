#!/bin/sh
# Runs once when a tree is built, after its packages. $1: the tree; $2: container or emulated;
# $3 (emulated only): a folder with node and id_ed25519.pub.
set -eu
root=$1
kind=$2

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

[ "$kind" = emulated ] || exit 0

install -m 755 "$3/node" "$root/usr/local/bin/node"
for home in root home/alice home/bob; do
	install -d -m 700 "$root/$home/.ssh"
	install -m 600 "$3/id_ed25519.pub" "$root/$home/.ssh/authorized_keys"
	chown -R --reference="$root/$home" "$root/$home/.ssh"
done
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'SSHD'
# One connection carries every command of a test run.
MaxSessions 200
UseDNS no
PasswordAuthentication no
PrintMotd no
PrintLastLog no
SSHD
cat >"$root/etc/fstab" <<'FSTAB'
/dev/vda / ext4 defaults,noatime 0 0
/dev/vdb none swap defaults 0 0
/dev/vdc /data ext4 defaults 0 0
FSTAB
mkdir -p "$root/data"
cat >"$root/etc/systemd/system/lab-network.service" <<'UNIT'
[Unit]
Description=The address that the emulator forwards to
Before=network.target ssh.service
Wants=network.target sys-subsystem-net-devices-eth0.device
After=sys-subsystem-net-devices-eth0.device

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'ip link set eth0 up && ip address add 10.0.2.15/24 dev eth0 && ip route add default via 10.0.2.2'

[Install]
WantedBy=multi-user.target
UNIT
cat >"$root/etc/systemd/system/lab-ready.service" <<'UNIT'
[Unit]
Description=The line on the console that the lab waits for
After=ssh.service lab-network.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo slicectl-lab-ready >/dev/ttyS0'

[Install]
WantedBy=multi-user.target
UNIT
for unit in lab-network lab-ready; do
	ln -s "../$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
done
cp -L "$root/vmlinuz" "$3/vmlinuz"
cp -L "$root/initrd.img" "$3/initrd"
