#!/usr/bin/env bash
# Swift sources are formatted as .swift-format says, and unwrap nothing by force outside the tests.
# Usage: Tools/check/format.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "$0")/../..}"
lint() { # CONFIGURATION PATHS...
  swift format lint --strict --recursive --parallel --configuration "$@" </dev/null
}
found=0
lint .swift-format Sources Tests Package.swift || found=1
# Tests may unwrap by force, so .swift-format cannot say it; the other complaints are those of the first run.
without_force='{"version":1,"lineLength":120,"indentation":{"spaces":2},"lineBreakBeforeEachArgument":false,
 "maximumBlankLines":1,"respectsExistingLineBreaks":true,
 "rules":{"NeverForceUnwrap":true,"NeverUseImplicitlyUnwrappedOptionals":true}}'
forced=$(lint "$without_force" Sources 2>&1 | grep -E "NeverForceUnwrap|NeverUseImplicitlyUnwrappedOptionals" || true)
[ -z "$forced" ] || { printf '%s\n' "$forced"; found=1; }
[ $found -eq 0 ] || { echo "format: run 'make fmt'; a forced unwrap needs a guard instead"; exit 1; }
