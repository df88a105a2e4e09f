/* SPDX-License-Identifier: BSD-2-Clause */
/* map.h - maps whose entries came in any order, for parsers */
#ifndef MRPC_MARSHAL_MAP_H
#define MRPC_MARSHAL_MAP_H

#include "marshal/fields.h"

/* Makes a map of a list of entries: sorts them, and of those with the same key keeps the last one. Takes O(n) when they
 * are sorted already, else O(n log n) and memory for a second list meanwhile. ENOMEM: the list is as it was. */
MRPC_MUST_CHECK int mrpc_map_sort(const mrpc_type *entry, mrpc_any_list *map);

#endif /* MRPC_MARSHAL_MAP_H */
