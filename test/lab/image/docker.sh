#!/bin/sh
# Runs after setup.sh when the machine is to have Docker, containerd and podman. $1: the tree.
set -eu
root=$1

for unit in podman-auto-update.timer podman-restart.service nftables.service; do
	ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# What `docker import`, `podman import` and `ctr` make an image of: no registry is at hand.
lab=$root/usr/local/share/lab
mkdir -p "$lab/busybox/bin" "$lab/busybox/etc" "$lab/busybox/tmp"
cp "$root/bin/busybox" "$lab/busybox/bin/busybox"
for applet in $("$root/bin/busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$lab/busybox/bin/$applet"
done
echo root:x:0:0:root:/:/bin/sh >"$lab/busybox/etc/passwd"
tar --create --file "$lab/busybox.tar" --directory "$lab/busybox" --owner=0 --group=0 .
rm -r "$lab/busybox"

# alice's home is on an overlay, which cannot be the upper part of another one.
install -d -o 1000 -g 1000 "$root/home/alice/.config" "$root/home/alice/.config/containers"
printf '[storage]\ndriver = "vfs"\n' >"$root/home/alice/.config/containers/storage.conf"

# No suite of Debian has a kubelet. This one is a stand-in: the unit, drop-in and files are of kubeadm's packages, the
# program only compares drivers as the kubelet does. `lab-kubelet DRIVER docker|containerd` puts it in place.
mkdir -p "$lab/kubelet/kubelet.service.d"
cat >"$lab/kubelet/kubelet" <<'KUBELET'
#!/bin/bash
# A stand-in for the kubelet: starts where its driver is the runtime's, and says when it starts and stops.
[ "$1" != --version ] || { echo "Kubernetes v1.30.4"; exit 0; }
config=/var/lib/kubelet/config.yaml driver='' endpoint=''
for word in "$@"; do
	case $word in
	--config=*) config=${word#*=} ;;
	--cgroup-driver=*) driver=${word#*=} ;;
	--container-runtime-endpoint=*) endpoint=${word#*=} ;;
	esac
done
[ -n "$driver" ] || driver=$(sed -n 's/^cgroupDriver: *"\{0,1\}\([a-z]*\).*/\1/p' "$config")
driver=${driver:-cgroupfs}
case $endpoint in
*containerd*)
	runtime=containerd its=cgroupfs
	[ -S /run/containerd/containerd.sock ] || { echo "stand-in kubelet: containerd does not answer"; exit 1; }
	if containerd config dump 2>/dev/null | grep -q 'SystemdCgroup = true'; then its=systemd; fi
	;;
*)
	runtime=docker
	its=$(docker info --format '{{.CgroupDriver}}') || { echo "stand-in kubelet: docker does not answer"; exit 1; }
	;;
esac
if [ "$driver" != "$its" ]; then
	echo "misconfiguration: kubelet cgroup driver: \"$driver\" is different from $runtime cgroup driver: \"$its\""
	exit 1
fi
echo "stand-in kubelet starts: $driver as $runtime"
trap 'echo "stand-in kubelet stops"; exit 0' TERM
sleep infinity &
wait $!
KUBELET
chmod 755 "$lab/kubelet/kubelet"
cat >"$lab/kubelet/kubelet.service" <<'UNIT'
[Unit]
Description=kubelet: The Kubernetes Node Agent (stand-in)
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
cat >"$lab/kubelet/kubelet.service.d/10-kubeadm.conf" <<'DROPIN'
# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# This is a file that "kubeadm init" and "kubeadm join" generates at runtime, populating the KUBELET_KUBEADM_ARGS variable dynamically
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
# This is a file that the user can use for overrides of the kubelet args as a last resort. Preferably, the user should use
# the .NodeRegistration.KubeletExtraArgs object in the configuration files instead. KUBELET_EXTRA_ARGS should be sourced from this file.
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
DROPIN
cat >"$root/usr/local/sbin/lab-kubelet" <<'INSTALL'
#!/bin/sh
# Puts the stand-in for the kubelet in place as kubeadm's packages have it. $1: its driver; $2: docker or containerd.
set -eu
lab=/usr/local/share/lab/kubelet
mkdir -p /usr/lib/systemd/system/kubelet.service.d /var/lib/kubelet /etc/kubernetes
install -m 755 "$lab/kubelet" /usr/bin/kubelet
install -m 644 "$lab/kubelet.service" /usr/lib/systemd/system/kubelet.service
install -m 644 "$lab/kubelet.service.d/10-kubeadm.conf" /usr/lib/systemd/system/kubelet.service.d/
cat >/var/lib/kubelet/config.yaml <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
cgroupDriver: $1
clusterDNS:
- 10.96.0.10
kind: KubeletConfiguration
staticPodPath: /etc/kubernetes/manifests
CONFIG
case $2 in
docker) endpoint=unix:///var/run/cri-dockerd.sock ;;
containerd) endpoint=unix:///run/containerd/containerd.sock ;;
esac
echo "KUBELET_KUBEADM_ARGS=\"--container-runtime-endpoint=$endpoint --pod-infra-container-image=registry.k8s.io/pause:3.9\"" \
	>/var/lib/kubelet/kubeadm-flags.env
systemctl daemon-reload
systemctl enable --quiet --now kubelet
INSTALL
chmod 755 "$root/usr/local/sbin/lab-kubelet"
