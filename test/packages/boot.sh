#!/bin/sh
# boot.sh BASE SCRATCH CGROUP: boots the Debian in BASE. Nothing of it is changed: what is written
# goes to memory, below SCRATCH. Wants a mount namespace of its own, and becomes systemd-nspawn,
# which tells NOTIFY_SOCKET when the system is up. CGROUP is a name for its control group.
set -e

mount -t tmpfs -o mode=755 minnow-test "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"

# systemd wants the second kind of control groups, whatever this machine has.
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$3"
echo $$ > "/sys/fs/cgroup/$3/cgroup.procs"

exec systemd-nspawn --quiet --boot --register=no --keep-unit --notify-ready=yes \
  --private-network --console=pipe --directory="$2/root"
