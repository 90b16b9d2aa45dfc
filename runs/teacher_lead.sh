#!/usr/bin/env bash
# What decides between CWD and SPKD (docs/equal_macs.md): cuts the students, trains one teacher and stops it at 25, 50 and
# 100 %, and fills configs/tables/teacher_lead.yaml. TABLE is added to tables.py, for example
#   OPTIONS="data.workers=0" TABLE="seeds=[0] --rows */2128" runs/teacher_lead.sh
# which takes an hour of a core; all of it takes seven. First: runs/data.sh.
. "$(dirname "$0")/common.sh"

STUDY=teacher_lead
SHORT="network.pretrained=null data.crop=192"
TAYLOR="$SHORT prune.criterion=taylor prune.batches=10 prune.rate=null"

# cut NAME TEACHER OPTIONS...
cut() {
    local name=$1 teacher=$2
    shift 2
    [ -e result/$STUDY/"$name"/pruned.tar ] ||
        prune mobile_unet $STUDY/"$name" teacher=pretrained/"$teacher".safetensors $TAYLOR "$@"
}
cut unet large prune.budget.macs=0.25 prune.min_share=0.2
cut dim dim_quarter prune.budget.macs=0.25 prune.min_share=0.2
cut half large prune.budget.macs=0.5 prune.min_share=0.4

# One training at a constant rate, whose averaged weights are taken where it stops.
before=
for stop in 25 50 100; do
    [ -z "$before" ] || [ -e result/$STUDY/stop$stop ] || cp -r result/$STUDY/$before result/$STUDY/stop$stop
    train mobile_unet $STUDY/stop$stop $SHORT network.start=result/$STUDY/half/pruned.tar train.epochs=$((stop / 25)) \
        data.backgrounds_per_foreground=2 data.valid_backgrounds=4 train.batch_size=8 train.lr=8e-4 train.ema=0.98 \
        train.schedule=constant train.warmup=0 train.precision=bfloat16
    before=stop$stop
done

$PYTHON tables.py --config configs/tables/$STUDY.yaml ${TABLE:-}
