# Shared by the scripts of this folder. PYTHON chooses the interpreter; OPTIONS are added to every training, for example
#   OPTIONS="device=cuda:1 data.workers=8" runs/large.sh
# A script that was stopped goes on where it was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PYTHON=${PYTHON:-python}

# stage SCRIPT CHECKPOINT CONFIG SAVE_DIR OPTIONS...: one training, resumed where its checkpoint is there.
stage() {
    local script=$1 file=result/$4/$2 config=$3 save_dir=$4
    shift 4
    # shellcheck disable=SC2086
    $PYTHON "$script" --config "configs/$config.yaml" "save_dir=$save_dir" "$@" ${OPTIONS:-} \
        "$([ -e "$file" ] && echo --resume || echo --overwrite)"
}
train() { stage train.py checkpoint.tar "$@"; }
prune() { stage train_prune.py checkpoint_prune.tar "$@"; }
train_pruned() { stage train_pruned.py checkpoint_pruned.tar "$@"; }
