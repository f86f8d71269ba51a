#!/bin/sh
# sweep.sh CGROUP: removes the control groups that boot.sh has left behind, once they are empty.
# Wants a mount namespace of its own.
set -e

umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} +
