# SPDX-License-Identifier: BSD-2-Clause
# protoc-gen-mrpc/ - what it adds to the build; Makefile.am says how.
