#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# idle.sh - a thousand connections that nobody uses take less than 10 ms of processor time in 10 s, on each side
set -eu
"${top_builddir:-.}/tests/e2e/idle" tcp://127.0.0.1:0 1000 10
"${top_builddir:-.}/tests/e2e/idle" "shm://idle-$$" 100 10
