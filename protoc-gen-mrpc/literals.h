/* SPDX-License-Identifier: BSD-2-Clause */
/* literals.h - values of a schema as constants in C and C++ */
#ifndef MRPC_GEN_LITERALS_H
#define MRPC_GEN_LITERALS_H

#include "output.h"
#include "schema.h"

/* What a field that is not a message is when it is absent. Of a string or bytes, that is a literal; a long one begins
 * on a line of its own and has several, each indented by `indent` spaces. */
void literal_default(output *out, const schema_field *field, int indent);

#endif /* MRPC_GEN_LITERALS_H */
