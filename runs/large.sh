#!/usr/bin/env bash
# The shipped `large`: mobile_unet from ImageNet weights, 233,000 crops in seven stages, and a mean of weights. Three hours of
# two cores, six minutes of an H200 (stages large_320 and large_448; days of two cores), 90 minutes of a core.
# First: runs/data.sh. The first stages of the shipped file saw fewer of the rendered foregrounds.
. "$(dirname "$0")/common.sh"

GCA="augment.fuse_exact=false augment.thin=0"
SUMS="$GCA augment.linear_light=0 augment.hide_fused=0 augment.fuse=0.3 data.crop_scales=[1.0,1.5]"
GPU="augment.hide=0.3 train.precision=bfloat16 train.warmup=0.02 train.ema=0.999"
LARGE=mobile_unet_large
BEST=BEST_checkpoint.tar

train mobile_unet mobile_unet network.structure.decoder=1.9 train.epochs=12 train.ema=0.998
train $LARGE guess $SUMS network.start=result/mobile_unet/$BEST data.crop=192 data.crop_scales=[1.0] augment.hide=0 \
    data.backgrounds_per_foreground=40 data.valid_backgrounds=8 train.epochs=1 train.batch_size=16 train.lr=5e-4 \
    train.pretrained_lr=0.3 train.ema=0.99
train $LARGE large_256 $SUMS network.start=result/guess/$BEST
train $LARGE large_320 $SUMS $GPU network.start=result/large_256/$BEST data.crop=320 \
    data.backgrounds_per_foreground=97 train.batch_size=32 train.epochs=4 train.schedule=constant train.lr=1e-3
train $LARGE large_448 $SUMS $GPU network.start=result/large_320/$BEST data.crop=448 \
    data.backgrounds_per_foreground=35 train.batch_size=20 train.epochs=5 train.lr=8e-4
LIGHT="data.crop=320 data.backgrounds_per_foreground=7 data.valid_backgrounds=4 train.batch_size=16"
train $LARGE large_light $LIGHT augment.thin=0 network.start=result/large_448/$BEST train.epochs=9
train $LARGE large_thin $LIGHT network.start=result/large_light/$BEST train.epochs=6
$PYTHON convert.py result/large_thin/$BEST result/large_before.tar --mean result/large_448/$BEST

train $LARGE large_defocus network.start=result/large_before.tar augment.defocus=0.33 augment.noise=0.3 data.crop=320 \
    data.backgrounds_per_foreground=8 data.valid_backgrounds=2 train.batch_size=16 train.lr=4e-4 train.epochs=3 \
    train.ema=0.997 train.precision=bfloat16
$PYTHON convert.py result/large_defocus/$BEST result/large.safetensors --half --mean result/large_before.tar
