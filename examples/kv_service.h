/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kv_service.h - the handlers of kv.Store, for a server of its own (kv_server.c) and for a service module (kv_module.c)
 *
 * The state points to no function, so that one build of the module can hand it over to the next.
 */
#ifndef KV_SERVICE_H
#define KV_SERVICE_H

#include "kv.mrpc.h"

typedef struct kv_service kv_service;

extern const kv_Store_handlers kv_service_handlers;

/* A service over an empty store of up to `limit` bytes; it is the state of the handlers. NULL: no memory. */
kv_service *kv_service_new(size_t limit);

/* After the last call has ended. */
void kv_service_free(kv_service *service);

#endif
