#!/bin/sh
# Compiles the programs (Debian 12: clang, libbpf-dev), without debug information so that the build is reproducible.
set -eu
cd "$(dirname "$0")"
for source in *.bpf.c; do
  clang -O2 -target bpf -mcpu=v3 -Wall -Werror -I"/usr/include/$(uname -m)-linux-gnu" -c "$source" \
    -o "${1:-.}/${source%.c}.o"
done
