/* SPDX-License-Identifier: BSD-2-Clause */
/* mrpc.h - all of the public interface */
#ifndef MRPC_MRPC_H
#define MRPC_MRPC_H

#include <mrpc/call.h>
#include <mrpc/channel.h>
#include <mrpc/error.h>
#include <mrpc/extension.h>
#include <mrpc/heap.h>
#include <mrpc/json.h>
#include <mrpc/message.h>
#include <mrpc/queue.h>
#include <mrpc/reflect.h>
#include <mrpc/runtime.h>
#include <mrpc/server.h>
#include <mrpc/service.h>
#include <mrpc/text.h>

#endif /* MRPC_MRPC_H */
