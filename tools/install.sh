#!/usr/bin/env bash
# Makes .venv with what running a study needs (install.sh demo) or developing too (install.sh dev). Called by make; safe
# to repeat.
set -euo pipefail
case ${1:?usage: install.sh demo|dev} in
    demo) extras=operator,trainer ;;
    *) extras=dev ;;
esac
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}

"$python" - <<'CHECK'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; set PYTHON=/path/to/python3.11")
CHECK

[ -x .venv/bin/python ] || "$python" -m venv .venv
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 .venv/bin/python -m pip"

# The same release as a range would let pip take the newest build, which on Linux brings the CUDA libraries.
if ! .venv/bin/python -c 'import torch' 2>/dev/null; then
    if [ -n "${TORCH_INDEX:-}" ]; then
        $pip install --quiet --index-url "$TORCH_INDEX" "torch==${TORCH_VERSION:-2.13.0}"
    elif command -v nvidia-smi >/dev/null || [ "$(uname)" != Linux ]; then
        $pip install --quiet "torch==${TORCH_VERSION:-2.13.0}"
    else
        # The CPU build, where the configured package index has it under this local version; else what there is.
        $pip install --quiet "torch==${TORCH_VERSION:-2.13.0}+cpu" 2>/dev/null ||
            $pip install --quiet "torch==${TORCH_VERSION:-2.13.0}"
    fi
fi
$pip install --quiet --editable ".[$extras]"
