#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# relock.sh: writes package-lock.json anew from package.json.
# node-llama-cpp names a binary package for every platform as optional; a registry need not carry all
# of them, and `npm ci` then takes the lock for incomplete.  So what is optional is left out; the one
# that we run stands in package.json.
set -eu
cd "$(dirname "$0")"
rm -f package-lock.json
npm install --package-lock-only --ignore-scripts --no-audit --no-fund
jq '.packages |= with_entries(select(.value.optional != true))
    | .packages |= map_values(del(.optionalDependencies, .resolved))' package-lock.json >lock.new
mv lock.new package-lock.json
