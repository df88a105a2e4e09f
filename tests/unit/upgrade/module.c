/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * module.c - a marshal module written by hand, and its bad relatives: each macro below makes one thing wrong with it
 *
 * Compiled by the tests at run time, with the system's compiler.
 */
#include <mrpc/marshal.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifndef MODULE_STAMP
#define MODULE_STAMP "one"
#endif
#ifndef MODULE_ABI
#define MODULE_ABI MRPC_MODULE_ABI
#endif
#ifndef MODULE_SCHEMA
#define MODULE_SCHEMA 0x1111
#endif
#ifndef MODULE_LAYOUT
#define MODULE_LAYOUT 0x2222
#endif
#ifndef TABLE_STAMP
#define TABLE_STAMP MODULE_STAMP
#endif
#ifndef NOTE_SIZE
#define NOTE_SIZE sizeof(mrpc_module_note)
#endif

#ifndef WITHOUT_NOTE
#define NOTE(name)                                                                                                     \
    __attribute__((section(".note.mrpc"), used, aligned(4))) static const mrpc_module_note name = {                    \
        5,           NOTE_SIZE - 20, MRPC_NOTE_MODULE, "mrpc", MODULE_ABI, MODULE_SCHEMA, MODULE_LAYOUT, MODULE_STAMP, \
        "hand.proto"}
NOTE(note);
#endif
#ifdef SECOND_NOTE
NOTE(second_note);
#endif

#ifdef CODEC
/* One codec and one vector; all that the codec does is this. */
static int marshal(mrpc_gather *gather, const void *message)
{
    (void)gather, (void)message;
    CODEC;
    return 0;
}
static int unmarshal(mrpc_scatter *scatter)
{
    (void)scatter;
    CODEC;
    return 0;
}
static int decode(mrpc_decoder *decoder, void *message)
{
    (void)decoder, (void)message;
    CODEC;
    return 0;
}
static const mrpc_codec codecs[] = {{"hand.Message", {1, 2}, 16, 0, marshal, unmarshal, marshal, decode}};
static const mrpc_vector vectors[] = {{0, 2, 8, 0, (const uint8_t *)"\x08\x01", (const uint8_t *)"\1\0\0\0\0\0\0\0"}};
#define TABLE_CODECS 1, 1, codecs, vectors
#endif
#ifndef TABLE_CODECS
#define TABLE_CODECS 0, 0, NULL, NULL
#endif

#ifdef WITHOUT_SYMBOL
static
#else
__attribute__((visibility("default")))
#endif
    const mrpc_module mrpc_module_export __attribute__((used)) = {
        sizeof(mrpc_module), MODULE_ABI, "hand.proto", TABLE_STAMP, {MODULE_SCHEMA, MODULE_LAYOUT}, TABLE_CODECS};

#ifdef UNDEFINED_SYMBOL
void no_such_function(void);
__attribute__((constructor)) static void call_it(void)
{
    no_such_function();
}
#endif

#ifdef CONSTRUCTOR
/* Field 19 of proc_pid_stat(5), since getpriority() is forbidden here; 99 when it cannot be read. */
__attribute__((unused)) static int niceness(void)
{
    int value = 99;
    FILE *file = fopen("/proc/self/stat", "re");
    if (file == NULL ||
        fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %d", &value) != 1)
        return 99;
    return value;
}

/* What runs when the module is loaded. */
__attribute__((constructor)) static void at_load(void)
{
    CONSTRUCTOR;
}
#endif

#ifdef DESTRUCTOR
__attribute__((destructor)) static void at_unload(void)
{
    DESTRUCTOR;
}
#endif

#ifdef THREAD_STORAGE_DESTRUCTOR
/* A destructor of thread-local storage keeps a library mapped until the thread has ended. */
int __cxa_thread_atexit_impl(void (*function)(void *), void *object, void *library);
extern void *__dso_handle;
static void nothing(void *object)
{
    (void)object;
}
__attribute__((constructor)) static void keep_me(void)
{
    __cxa_thread_atexit_impl(nothing, NULL, &__dso_handle);
}
#endif
