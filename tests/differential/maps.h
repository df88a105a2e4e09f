// SPDX-License-Identifier: BSD-2-Clause
// maps.h - has libprotobuf make maps of the entries that a message was parsed with
#ifndef MRPC_DIFFERENTIAL_MAPS_H
#define MRPC_DIFFERENTIAL_MAPS_H

#include <google/protobuf/message.h>

// A message of DynamicMessageFactory keeps entries as they came, several with one key among them, and writes them so,
// until something looks at the map. This looks at all maps in the message.
void settle_maps(google::protobuf::Message *message);

#endif // MRPC_DIFFERENTIAL_MAPS_H
