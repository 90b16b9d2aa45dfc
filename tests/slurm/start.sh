#!/bin/sh
# A real Slurm of one machine, for tests: munged, slurmctld and slurmd as they come with Debian
# (apt-get install slurm-wlm munge), all state in one folder, no accounting.
#
#   tests/slurm/start.sh DIR [CPUS]    then: export SLURM_CONF=DIR/slurm.conf; sinfo; sbatch ...
#   tests/slurm/start.sh --stop DIR
#
# Runs as root or as any user. CPUS (4) may be more than there are. Jobs of the partition `urgent`
# preempt those of `tests`, which have 20 seconds to save.
set -eu
PATH=$PATH:/usr/sbin
if [ "$1" = --stop ]; then
    for name in slurmd slurmctld munged; do
        process=$(cat "$2/$name.pid")
        kill "$process"
        while kill -0 "$process" 2> /dev/null; do sleep 0.1; done
    done
    exit
fi
mkdir -p "$1/state" "$1/spool"
chmod 755 "$1"
cd "$1"
folder=$PWD node=$(hostname -s) user=$(id -un)
free_ports() {
    python3 -c 'import socket as s; o = [s.socket() for _ in "12"]; [x.bind(("", 0)) for x in o]; print(*(x.getsockname()[1] for x in o))'
}
set -- $(free_ports) "${2:-4}"

head -c 1024 /dev/urandom > munge.key
chmod 400 munge.key
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"

cat > slurm.conf <<END
ClusterName=tests
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$2
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
JobRequeue=1
KillWait=30
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MpiDefault=none
PropagatePrioProcess=1
NodeName=$node NodeAddr=127.0.0.1 CPUs=$3 State=UNKNOWN
PartitionName=tests Nodes=$node Default=YES PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=$node PriorityTier=2
END
export SLURM_CONF="$folder/slurm.conf"
slurmctld -f "$SLURM_CONF" -c
slurmd -f "$SLURM_CONF"
for _ in $(seq 100); do
    [ "$(sinfo --noheader --format=%T 2>/dev/null)" != idle ] || exit 0
    sleep 0.1
done
tail -n 3 "$folder"/*.log >&2
exit 1
