#!/bin/bash
# Starts a Slurm of one node on this machine, as root, from Debian's slurm-wlm and munge:
#   apt-get install slurm-wlm munge; tests/cluster/start_slurm.sh FOLDER; export SLURM_CONF=FOLDER/slurm.conf
# Stop it with: kill $(cat FOLDER/slurmctld.pid FOLDER/slurmd.pid)
set -eu
folder="$(realpath -m "${1:?name a folder}")"
host="$(hostname -s)"
mkdir -p "$folder/state" "$folder/spool" /run/munge
[ -f /etc/munge/munge.key ] || dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
chown munge:munge /etc/munge/munge.key /run/munge
chmod 400 /etc/munge/munge.key
pgrep -x munged >/dev/null || runuser -u munge -- /usr/sbin/munged
cat > "$folder/slurm.conf" <<CONF
ClusterName=retort
SlurmctldHost=$host
SlurmUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmctldPort=16817
SlurmdPort=16818
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
MpiDefault=none
NodeName=$host CPUs=8 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"
/usr/sbin/slurmctld
/usr/sbin/slurmd
sleep 2
sinfo
