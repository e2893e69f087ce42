#!/usr/bin/env bash
# Runs first.py, a small client, and walk.py, which starts services by itself. A Python with gRPC is taken from the path, else made
# under target/.
. "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
python=python3
if ! "$python" -c 'import grpc, grpc_status' 2>/dev/null; then
    python="$target/clients-venv/bin/python"
    if ! "$python" -c 'import grpc, grpc_status' 2>/dev/null; then
        python3 -m venv --clear "$target/clients-venv"
        "$python" -m pip install -q --disable-pip-version-check --only-binary :all: -r clients/python/requirements.txt
    fi
fi
start
"$python" clients/python/first.py </dev/null
"$python" clients/python/walk.py </dev/null
