# SPDX-License-Identifier: BSD-2-Clause
# heap/ - what it adds to the build; Makefile.am says how.
proto_sources += heap/arena.c heap/arena.h heap/available.c heap/available.h heap/bias.c heap/bias.h heap/grow.c heap/heap.c heap/internal.h heap/lock.c \
	heap/lock.h heap/sanitize.h heap/segment.c heap/segment.h heap/sizeclass.h heap/slab.c heap/slab.h heap/slot.c \
	heap/span.c heap/span.h heap/words.c
