# Sourced by the run.sh of every client: strict mode, the folder of the project, the tool HEARTH and the image of the contracts HEARTH_IMAGE
# (built where nobody names them), and `start`, which runs the services on free ports until the script ends and tells where they are.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"

if [[ -z "${HEARTH:-}" ]]; then
    cargo build -q -p hearth --bin hearth
    HEARTH="$target/debug/hearth"
fi
if [[ -z "${HEARTH_IMAGE:-}" ]]; then
    HEARTH_IMAGE="$target/contracts/image.binpb"
    cargo run -q -p contracts --example image -- "$HEARTH_IMAGE"
fi
export HEARTH HEARTH_IMAGE

# Sets HEARTH_ARCHIVE, the address of a service; HEARTH_CA, the authority that it is known by; HEARTH_TOKEN, which lets an agent call.
start() {
    folder=$(mktemp -d)
    trap 'kill -INT "$services" 2>/dev/null || true; wait "$services" || true; rm -rf "$folder"' EXIT
    "$HEARTH" up --data "$folder/data" --archive-port 0 --hall-port 0 --billing-port 0 --vendor-port 0 </dev/null >"$folder/told" &
    services=$!
    until grep -q '^Ctrl-C' "$folder/told"; do
        kill -0 "$services"
        sleep 0.1
    done
    # By name: some clients do not check an address against a certificate.
    HEARTH_ARCHIVE="https://localhost:$(sed -n 's/^archive .*://p' "$folder/told")"
    HEARTH_CA="$folder/data/keys/ca.pem"
    HEARTH_TOKEN="$("$HEARTH" token --role agent --data "$folder/data")"
    export HEARTH_ARCHIVE HEARTH_CA HEARTH_TOKEN
}
