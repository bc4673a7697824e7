#!/bin/sh
# Compiles the program (Debian 12: clang, libbpf-dev), without debug information so that the build is reproducible.
set -eu
cd "$(dirname "$0")"
clang -O2 -target bpf -mcpu=v3 -Wall -Werror -I"/usr/include/$(uname -m)-linux-gnu" -c channel-data.bpf.c \
  -o "${1:-channel-data.bpf.o}"
