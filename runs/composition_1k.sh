#!/usr/bin/env bash
# DCP's table 1 on Composition-1k, whole: the data, the teacher, six prunings, their trainings and scores, beside the published
# numbers (result/tables/dcp_dim/). FROM has the archives as they are distributed. TABLE is added to tables.py, for example
#   FROM=~/Downloads TABLE="--jobs 2" runs/composition_1k.sh
# Hours are estimated first, from steps measured on this machine; stop it there with Ctrl-C. A later call goes on. To walk it in
# minutes: STEPS=--toy TABLE="seeds=[0] options.network.width=0.0625 options.data.crop=64 options.train.epochs=1 ...".
. "$(dirname "$0")/common.sh"

NAME=Composition-1k
FROM=${FROM:-.}
ADOBE=$FROM/Adobe_Deep_Matting_Dataset.zip
COCO=$FROM/train2014.zip
VOC=$FROM/VOCtrainval_14-Jul-2008.tar

[ -e data/$NAME/train_names.txt ] || for file in "$ADOBE" "$COCO" "$VOC"; do
    [ -e "$file" ] || { echo "error: $file: not there; FROM names the folder of the archives" >&2; exit 2; }
done

# 43,100 samples an epoch: 30 epochs of the teacher; of each seed 15 of five prunings (the uniform one trains nothing), 30 of six
# trainings.
# shellcheck disable=SC2086
$PYTHON benchmarks/steps.py --ours --batch 16 --repeats 1 ${STEPS:-} | sed -n 's/.*"ours, float32", "value": \([0-9.]*\).*/\1/p' |
    awk '{ printf "about %.0f hours; with one seed of three (TABLE=seeds=[0]) %.0f; from %.1f samples a second of the pruning stage\n",
           43100 * (30 + 3 * 255) / $1 / 3600, 43100 * (30 + 255) / $1 / 3600, $1 }'

[ -e data/$NAME/train_names.txt ] || {
    $PYTHON pre_process.py --dataset $NAME --kind composition-1k --from "$ADOBE"
    $PYTHON pre_process.py --dataset $NAME --kind photographs --part train --from "$COCO"
    $PYTHON pre_process.py --dataset $NAME --kind photographs --part test --from "$VOC"
    $PYTHON pre_process.py --dataset $NAME
    $PYTHON data_gen.py --dataset $NAME
}

# shellcheck disable=SC2086
$PYTHON tables.py --config configs/tables/dcp_dim.yaml ${TABLE:-}
