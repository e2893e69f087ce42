#!/usr/bin/env bash
# Runs walk.py against services that it starts by itself. HEARTH and HEARTH_IMAGE name the tool and the image of the contracts; without
# them both are built. A Python with gRPC is taken from the path, else made under target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target="${CARGO_TARGET_DIR:-$PWD/target}"

if [[ -z "${HEARTH:-}" ]]; then
    cargo build -q -p hearth --bin hearth
    HEARTH="$target/debug/hearth"
fi
if [[ -z "${HEARTH_IMAGE:-}" ]]; then
    HEARTH_IMAGE="$target/contracts/image.binpb"
    cargo run -q -p contracts --example image -- "$HEARTH_IMAGE"
fi
python=python3
if ! "$python" -c 'import grpc, grpc_status' 2>/dev/null; then
    python="$target/clients-venv/bin/python"
    if ! "$python" -c 'import grpc, grpc_status' 2>/dev/null; then
        python3 -m venv --clear "$target/clients-venv"
        "$python" -m pip install -q --disable-pip-version-check --only-binary :all: -r clients/python/requirements.txt
    fi
fi
HEARTH="$HEARTH" HEARTH_IMAGE="$HEARTH_IMAGE" exec "$python" clients/python/walk.py </dev/null
