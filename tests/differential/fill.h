// SPDX-License-Identifier: BSD-2-Clause
// fill.h - random messages by libprotobuf's reflection
#ifndef MRPC_DIFFERENTIAL_FILL_H
#define MRPC_DIFFERENTIAL_FILL_H

#include <google/protobuf/message.h>

extern "C" {
#include "tests/unit/marshal/random_message.h"
}

// Gives an empty message random fields and extensions, all that it requires among them; nested at most `depth` deep but
// for required ones.
void fill_message(random_source *source, google::protobuf::Message *message, unsigned depth);

#endif // MRPC_DIFFERENTIAL_FILL_H
