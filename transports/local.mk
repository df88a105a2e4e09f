# SPDX-License-Identifier: BSD-2-Clause
# transports/ - what it adds to the build; Makefile.am says how.
