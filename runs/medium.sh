#!/usr/bin/env bash
# The shipped `medium`: large_448 of runs/large.sh pruned to half its MACs under SPKD, 41,300 crops. Ten minutes of two cores,
# two of an H200 (save_dir medium), an hour of a core; and the teacher of its last stages, one more hour.
# First: runs/large.sh.
. "$(dirname "$0")/common.sh"

GCA="augment.fuse_exact=false augment.thin=0"
SUMS="$GCA augment.linear_light=0 augment.hide_fused=0 augment.fuse=0.3 data.crop_scales=[1.0,1.5]"
BEST=BEST_checkpoint.tar
FIRST="$SUMS teacher=result/large_448/$BEST"

prune prune_mobile_unet medium $FIRST data.crop=192 data.backgrounds_per_foreground=16 train_prune.batch_size=16
train_pruned prune_mobile_unet medium $FIRST data.crop=320 data.backgrounds_per_foreground=13 augment.hide=0.3 \
    train.precision=bfloat16 train_pruned.batch_size=64 train_pruned.lr=1.5e-3 train_pruned.ema=0.995 train_pruned.epochs=7

# A teacher that has seen hidden foregrounds and linear light, with GCA's colours of fused foregrounds.
LIGHT="$GCA data.crop=320 data.backgrounds_per_foreground=7"
train mobile_unet_large gca_hidden $LIGHT network.start=result/large_448/$BEST augment.linear_light=0 \
    augment.hide_fused=0.6 train.epochs=1 train.schedule=constant
train mobile_unet_large gca_light $LIGHT network.start=result/gca_hidden/$BEST train.batch_size=16 train.epochs=9

LAST="$GCA teacher=result/gca_light/$BEST data.backgrounds_per_foreground=8 train.batch_size=16"
train prune_mobile_unet medium_light $LAST network.start=result/medium/BEST_pruned.tar train.epochs=5 train.ema=0.997
train prune_mobile_unet medium_end $LAST data.crop=320 network.start=result/medium_light/$BEST train.epochs=1 \
    train.lr=5e-4 train.ema=0.985
$PYTHON convert.py result/medium_end/$BEST result/medium_before.tar --mean result/medium/BEST_pruned.tar

train prune_mobile_unet medium_cwd network.start=result/medium_before.tar distill.types=[cwd] augment.defocus=0.33 \
    augment.noise=0.3 data.crop=320 data.backgrounds_per_foreground=8 data.valid_backgrounds=2 train.batch_size=16 \
    train.epochs=6 train.ema=0.997 train.precision=bfloat16
$PYTHON convert.py result/medium_cwd/$BEST result/medium.safetensors --half
