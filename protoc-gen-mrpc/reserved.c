/* SPDX-License-Identifier: BSD-2-Clause */
/* reserved.c - names that a schema may have and a C or C++ program may not; see names.h */
#include "names.h"

#include <ctype.h>
#include <string.h>

#include "reserved_names.h"
#include "suffixes.h"

static bool is_one_of(const char *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    return false;
}

/* clang-format off */
/* Keywords of C up to C23 and of C++ up to C++23, with those that GNU C adds, and the operators that are words. */
static const char *const keywords[] = {
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept", "const",
    "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
    "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
    "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return",
    "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "typeof_unqual", "union",
    "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
};
/* clang-format on */

bool names_reserved_word(const char *name)
{
    /* Names of the implementation: __unix__, __LINE__, _Bool, _Generic. */
    if (name[0] == '_' && (name[1] == '_' || isupper((unsigned char)name[1])))
        return true;
    if (strncmp(name, "MRPC_", 5) == 0) /* macros of the library */
        return true;
    return is_one_of(name, keywords, sizeof keywords / sizeof *keywords) ||
           is_one_of(name, macro_names, sizeof macro_names / sizeof *macro_names);
}

bool names_reserved_global(const char *name)
{
    return names_reserved_word(name) || is_one_of(name, library_names, sizeof library_names / sizeof *library_names);
}

bool names_message_suffix(const char *name)
{
#define SUFFIX_NAME(suffix) #suffix,
    static const char *const suffixes[] = {GEN_MESSAGE_SUFFIXES(SUFFIX_NAME) GEN_MESSAGE_KEPT(SUFFIX_NAME)};
    return is_one_of(name, suffixes, sizeof suffixes / sizeof *suffixes);
}

bool names_service_suffix(const char *name)
{
    static const char *const suffixes[] = {GEN_SERVICE_SUFFIXES(SUFFIX_NAME) GEN_SERVICE_KEPT(SUFFIX_NAME)};
#undef SUFFIX_NAME
    return is_one_of(name, suffixes, sizeof suffixes / sizeof *suffixes);
}
