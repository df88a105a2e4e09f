/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unknown.h - going through fields in the protobuf encoding whose schema is not known, or not yet
 *
 * The bytes may be anything: a native message brings its unknown fields as they are. What is not well-formed ends the
 * walk. Nothing recurses; groups are skipped as a whole.
 */
#ifndef MRPC_UNKNOWN_H
#define MRPC_UNKNOWN_H

#include <mrpc/marshal.h>

/* Bytes that somebody else owns. */
typedef struct mrpc_input {
    const uint8_t *at;
    const uint8_t *end;
} mrpc_input;

/* One field. */
typedef struct mrpc_unknown_field {
    uint32_t number;
    uint32_t wire;         /* MRPC_WIRE_VARINT and the like */
    const uint8_t *start;  /* of its tag */
    mrpc_input value;      /* without tag and length; of a group without the tags around it */
    const uint8_t *behind; /* where the next field begins */
} mrpc_unknown_field;

/* All unknown fields of a message. */
mrpc_input mrpc_unknown_of(const void *message);

/* Takes the next field. False: there is none, or what follows is not well-formed; in->at then stays before it. */
bool mrpc_unknown_next(mrpc_input *in, mrpc_unknown_field *field);

/* The number of a field that has one: a varint, or 4 or 8 bytes. False: it has none. */
bool mrpc_unknown_number(const mrpc_unknown_field *field, uint64_t *number);

/* Turns a field of a message that has the wire format of a MessageSet from a group 1 { 2: number 3: bytes }, in either
 * order, into that field of bytes; start and behind stay. What comes twice in it counts the first time. False, and
 * nothing changed: it is no such group.
 * (https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/wire_format.h) */
bool mrpc_unknown_take_item(mrpc_unknown_field *field);

#endif /* MRPC_UNKNOWN_H */
