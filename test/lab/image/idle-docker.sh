#!/bin/sh
# Runs after docker.sh when the tree is to become a disk: an emulated machine starts Docker and irqbalance when a test
# asks for them.
# $1: the tree.
set -eu
for unit in docker.service docker.socket containerd.service irqbalance.service; do
	rm -f "$1"/etc/systemd/system/*.wants/$unit
done
