#!/bin/sh
# Runs after setup.sh when the tree is to become a disk. $1: the tree; $2: a folder with node and id_ed25519.pub,
# which gets the kernel and its initrd.
set -eu
root=$1

install -m 755 "$2/node" "$root/usr/local/bin/node"
for home in root home/alice home/bob; do
	install -d -m 700 "$root/$home/.ssh"
	install -m 600 "$2/id_ed25519.pub" "$root/$home/.ssh/authorized_keys"
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
Type=simple
ExecStart=/usr/local/sbin/lab-ready

[Install]
WantedBy=multi-user.target
UNIT
cat >"$root/usr/local/sbin/lab-ready" <<'READY'
#!/bin/sh
systemctl is-system-running --wait
su --login alice --command 'systemctl --user is-system-running --wait'
sync
echo slicectl-lab-ready >/dev/ttyS0
READY
chmod 755 "$root/usr/local/sbin/lab-ready"
for unit in lab-network lab-ready; do
	ln -s "../$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
done
cp -L "$root/vmlinuz" "$2/vmlinuz"
cp -L "$root/initrd.img" "$2/initrd"
