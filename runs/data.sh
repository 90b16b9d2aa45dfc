#!/usr/bin/env bash
# Prepares data/photos for the scripts of this folder: your foregrounds and backgrounds (pretrained/README.md names those
# of the shipped networks), and 144 rendered foregrounds beside them.
. "$(dirname "$0")/common.sh"

[ -e data/photos/valid_names.txt ] || {
    $PYTHON pre_process.py --dataset photos --snap 5
    $PYTHON data_gen.py --dataset photos
}
for seed in 1 2 3; do
    sample=data/more$seed/sample/train
    grep -q "^r${seed}_" data/photos/train_names.txt && continue
    $PYTHON pre_process.py --dataset sample --data-root data/more$seed --seed $seed
    for file in $sample/{fg,alpha}/[!r]*.png; do mv "$file" "${file%/*}/r${seed}_${file##*/}"; done
    $PYTHON pre_process.py --dataset photos --kind pairs --part train --from $sample
    ls $sample/fg | sed 's/\.png$//' >> data/photos/train_names.txt
done
$PYTHON pre_process.py --dataset photos --snap 5
