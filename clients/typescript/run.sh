#!/usr/bin/env bash
# Checks, compiles and runs the two clients, with the packages that package-lock.json pins; all of it happens under target/.
. "$(dirname "${BASH_SOURCE[0]}")/../suite.sh"
work="$target/clients-typescript"
mkdir -p "$work"
if ! cmp -s clients/typescript/package-lock.json "$work/package-lock.json"; then
    cp clients/typescript/package.json clients/typescript/package-lock.json "$work/"
    # No script of a package has to run.
    npm ci --prefix "$work" --ignore-scripts --no-audit --no-fund --loglevel=error
fi
cp clients/typescript/*.ts clients/typescript/tsconfig.json "$work/"
"$work/node_modules/.bin/tsc" -p "$work"
start
node "$work/grpc.js" </dev/null
# A browser asks the system for authorities.
NODE_EXTRA_CA_CERTS="$HEARTH_CA" node "$work/web.js" </dev/null
