#!/usr/bin/env bash
# The shipped `small`: large_448 of runs/large.sh pruned to a quarter of its MACs under SPKD, 101,000 crops. Two minutes of an
# H200 (save_dir small), three and a half hours of a core. First: runs/medium.sh, which makes the teacher gca_light.
. "$(dirname "$0")/common.sh"

GCA="augment.fuse_exact=false augment.thin=0"
SUMS="$GCA augment.linear_light=0 augment.hide_fused=0 augment.fuse=0.3 data.crop_scales=[1.0,1.5]"
BEST=BEST_checkpoint.tar
CONFIG=prune_mobile_unet
FIRST="$SUMS teacher=result/large_448/$BEST"
QUARTER="$FIRST prune.budget.macs=0.25 prune.min_share=0.2"

prune $CONFIG small $QUARTER data.crop=192 data.backgrounds_per_foreground=16 train_prune.batch_size=16
train_pruned $CONFIG small $QUARTER data.crop=320 data.backgrounds_per_foreground=13 augment.hide=0.3 \
    train.precision=bfloat16 train_pruned.batch_size=64 train_pruned.lr=1.5e-3 train_pruned.ema=0.995 train_pruned.epochs=7
train $CONFIG small_256 $FIRST augment.hide=0.3 data.crop=256 data.backgrounds_per_foreground=10 \
    network.start=result/small/BEST_pruned.tar train.batch_size=16 train.epochs=8 train.lr=1e-3 train.ema=0.997
train $CONFIG small_320 $FIRST augment.hide=0.3 data.crop=320 data.backgrounds_per_foreground=8 \
    network.start=result/small_256/$BEST train.batch_size=12 train.epochs=4 train.lr=8e-4 train.ema=0.997

LAST="$GCA teacher=result/gca_light/$BEST data.backgrounds_per_foreground=8 train.batch_size=16"
train $CONFIG small_light $LAST network.start=result/small_320/$BEST train.epochs=6 train.ema=0.997
train $CONFIG small_end $LAST data.crop=320 network.start=result/small_light/$BEST train.epochs=2 train.lr=6e-4 \
    train.ema=0.997
train $CONFIG small_last $LAST data.crop=320 network.start=result/small_end/$BEST train.epochs=2 train.lr=5e-4 \
    train.ema=0.985
$PYTHON convert.py result/small_last/$BEST result/small_mean.tar --mean result/small_320/$BEST

train $CONFIG small_thin network.start=result/small_mean.tar data.crop=320 data.backgrounds_per_foreground=8 \
    data.valid_backgrounds=2 train.batch_size=16 train.epochs=5 train.ema=0.99
$PYTHON convert.py result/small_thin/$BEST result/small_before.tar --mean result/small_mean.tar

train $CONFIG small_cwd network.start=result/small_before.tar distill.types=[cwd] augment.defocus=0.33 augment.noise=0.3 \
    data.crop=320 data.backgrounds_per_foreground=8 data.valid_backgrounds=2 train.batch_size=16 train.epochs=6 train.ema=0.997
$PYTHON convert.py result/small_cwd/$BEST result/small.safetensors --half --mean result/small_before.tar
