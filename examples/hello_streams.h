/* SPDX-License-Identifier: BSD-2-Clause */
/* hello_streams.h - the methods of hello.Greeter to which callers send a stream of names */
#ifndef HELLO_STREAMS_H
#define HELLO_STREAMS_H

#include "hello.mrpc.h"

void hello_to_all(hello_Greeter_SayHelloToAll_call *call, const hello_HelloRequest *request, void *state);
void hello_chat(hello_Greeter_Chat_call *call, const hello_HelloRequest *request, void *state);

#endif
