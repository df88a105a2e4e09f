/* SPDX-License-Identifier: BSD-2-Clause */
/* elf.c - a bounds-checked reader of ELF64 shared objects */
#include "config.h"

#include "upgrade/elf.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>

#if defined __x86_64__
#define OWN_MACHINE EM_X86_64
#elif defined __aarch64__
#define OWN_MACHINE EM_AARCH64
#elif defined __riscv
#define OWN_MACHINE EM_RISCV
#elif defined __powerpc64__
#define OWN_MACHINE EM_PPC64
#elif defined __s390x__
#define OWN_MACHINE EM_S390
#else
#error "elf.c does not know the ELF number of this machine"
#endif
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_DATA ELFDATA2LSB
#else
#define OWN_DATA ELFDATA2MSB
#endif

/* The object that is read. */
typedef struct elf_image {
    const unsigned char *data;
    size_t size;
    size_t segments;
    size_t table; /* offset of the program headers */
    mrpc_error *error;
} elf_image;

/* Where something lies in the file; size 0 when it is not there. */
typedef struct extent {
    size_t offset, size;
} extent;

static int truncated(const elf_image *image, const char *what)
{
    return mrpc_error_set(image->error, MRPC_EFORMAT,
                          "the file is cut off: %s reaches beyond its %zu bytes; copy it again", what, image->size);
}

static bool lies_within(const elf_image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset;
}

/* Copies `size` bytes from an offset that was checked; nothing in the file needs to be aligned. */
static void fetch(const elf_image *image, size_t offset, void *to, size_t size)
{
    memcpy(to, image->data + offset, size);
}

static Elf64_Phdr segment_at(const elf_image *image, size_t index)
{
    Elf64_Phdr segment;
    fetch(image, image->table + index * sizeof segment, &segment, sizeof segment);
    return segment;
}

static int read_header(elf_image *image)
{
    Elf64_Ehdr header;
    if (image->size < SELFMAG || memcmp(image->data, ELFMAG, SELFMAG) != 0)
        return mrpc_error_set(image->error, MRPC_EFORMAT,
                              "the file is not a shared object: it does not begin with an ELF header");
    if (image->size < sizeof header)
        return truncated(image, "the ELF header");
    fetch(image, 0, &header, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != OWN_DATA ||
        header.e_machine != OWN_MACHINE)
        return mrpc_error_set(image->error, MRPC_EFORMAT,
                              "the file is for another machine (ELF class %u, data %u, machine %u, here %u, %u, %u)",
                              header.e_ident[EI_CLASS], header.e_ident[EI_DATA], header.e_machine, ELFCLASS64, OWN_DATA,
                              OWN_MACHINE);
    if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT)
        return mrpc_error_set(image->error, MRPC_EFORMAT, "the file has an unknown version of ELF, %u",
                              header.e_version);
    if (header.e_type != ET_DYN)
        return mrpc_error_set(image->error, MRPC_EFORMAT,
                              "the file is not a shared object (ELF type %u): link it with -shared", header.e_type);
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > MRPC_ELF_SEGMENTS)
        return mrpc_error_set(image->error, MRPC_EFORMAT,
                              "the file has %u program headers of %u bytes; allowed are 1 to %d of %zu", header.e_phnum,
                              header.e_phentsize, MRPC_ELF_SEGMENTS, sizeof(Elf64_Phdr));
    if (!lies_within(image, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr)))
        return truncated(image, "the table of program headers");
    image->segments = header.e_phnum;
    image->table = header.e_phoff;
    return 0;
}

static int check_segment(const elf_image *image, const Elf64_Phdr *segment)
{
    if (segment->p_type == PT_INTERP)
        return mrpc_error_set(image->error, MRPC_EFORMAT,
                              "the file is a program, not a shared object: link it with -shared");
    if (segment->p_type == PT_GNU_STACK && (segment->p_flags & PF_X) != 0)
        return mrpc_error_set(image->error, MRPC_EMODULE,
                              "the file wants an executable stack: link it with -z noexecstack");
    if (segment->p_type != PT_LOAD && segment->p_type != PT_DYNAMIC && segment->p_type != PT_NOTE)
        return 0;
    if (!lies_within(image, segment->p_offset, segment->p_filesz))
        return truncated(image, segment->p_type == PT_LOAD   ? "a segment"
                                : segment->p_type == PT_NOTE ? "a note"
                                                             : "the dynamic section");
    if (segment->p_type != PT_LOAD)
        return 0;
    if (segment->p_filesz > segment->p_memsz || segment->p_memsz > (UINT64_C(1) << 32) ||
        segment->p_vaddr > (UINT64_C(1) << 32))
        return mrpc_error_set(image->error, MRPC_EFORMAT, "the file has a segment of an impossible size");
    if ((segment->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
        return mrpc_error_set(image->error, MRPC_EMODULE,
                              "the file has a segment that is both writable and executable");
    return 0;
}

static int check_segments(const elf_image *image)
{
    size_t loads = 0;
    for (size_t i = 0; i < image->segments; i++) {
        Elf64_Phdr segment = segment_at(image, i);
        int result = check_segment(image, &segment);
        if (result != 0)
            return result;
        loads += segment.p_type == PT_LOAD;
    }
    return loads > 0 ? 0 : mrpc_error_set(image->error, MRPC_EFORMAT, "the file has nothing to load");
}

/* Where the bytes that will be mapped at `address` lie in the file, as far as the end of that segment. */
static extent file_extent(const elf_image *image, uint64_t address)
{
    for (size_t i = 0; i < image->segments; i++) {
        Elf64_Phdr segment = segment_at(image, i);
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
            uint64_t skip = address - segment.p_vaddr;
            return (extent){(size_t)(segment.p_offset + skip), (size_t)(segment.p_filesz - skip)};
        }
    }
    return (extent){0, 0};
}

/* The dynamic section as the dynamic linker will see it: by its address. */
static extent find_dynamic(const elf_image *image)
{
    for (size_t i = 0; i < image->segments; i++) {
        Elf64_Phdr segment = segment_at(image, i);
        if (segment.p_type != PT_DYNAMIC)
            continue;
        extent found = file_extent(image, segment.p_vaddr);
        if (found.size > segment.p_memsz)
            found.size = (size_t)segment.p_memsz;
        return found;
    }
    return (extent){0, 0};
}

/* Reads the entry at `index`; false at the end of the section. */
static bool dynamic_at(const elf_image *image, extent dynamic, size_t index, Elf64_Dyn *entry)
{
    if (index >= dynamic.size / sizeof *entry)
        return false;
    fetch(image, dynamic.offset + index * sizeof *entry, entry, sizeof *entry);
    return entry->d_tag != DT_NULL;
}

static extent find_strings(const elf_image *image, extent dynamic)
{
    Elf64_Dyn entry;
    extent strings = {0, 0};
    uint64_t size = 0;
    for (size_t i = 0; dynamic_at(image, dynamic, i, &entry); i++) {
        if (entry.d_tag == DT_STRTAB)
            strings = file_extent(image, entry.d_un.d_ptr);
        else if (entry.d_tag == DT_STRSZ)
            size = entry.d_un.d_val;
    }
    if (size < strings.size)
        strings.size = (size_t)size;
    return strings;
}

/* The string at `offset` of the table, NULL when it does not end in it. */
static const char *string_at(const elf_image *image, extent strings, uint64_t offset)
{
    if (offset >= strings.size)
        return NULL;
    const char *text = (const char *)image->data + strings.offset + offset;
    return memchr(text, '\0', strings.size - (size_t)offset) != NULL ? text : NULL;
}

/* A library that is needed is found by the system's own rules, so its name must not be a path. */
static int check_needed(const elf_image *image, extent strings, uint64_t offset)
{
    const char *name = string_at(image, strings, offset);
    if (name == NULL)
        return mrpc_error_set(image->error, MRPC_EFORMAT,
                              "the file is damaged: the name of a needed library lies outside of its string table");
    if (strchr(name, '/') != NULL)
        return mrpc_error_set(image->error, MRPC_EMODULE,
                              "the file needs a library by path, %.200s: link with -l instead", name);
    return 0;
}

static int check_dynamic_entry(const elf_image *image, extent strings, const Elf64_Dyn *entry)
{
    switch (entry->d_tag) {
    case DT_NEEDED:
        return check_needed(image, strings, entry->d_un.d_val);
    case DT_RPATH:
    case DT_RUNPATH:
        return mrpc_error_set(image->error, MRPC_EMODULE,
                              "the file brings a search path for libraries along: link it without -rpath");
    case DT_AUDIT:
    case DT_DEPAUDIT:
    case DT_AUXILIARY:
    case DT_FILTER:
        return mrpc_error_set(image->error, MRPC_EMODULE, "the file names an audit or filter library: link it without");
    case DT_TEXTREL:
        return mrpc_error_set(image->error, MRPC_EMODULE,
                              "the file has relocations in its code: compile it with -fPIC");
    case DT_FLAGS:
        if ((entry->d_un.d_val & DF_TEXTREL) != 0)
            return mrpc_error_set(image->error, MRPC_EMODULE,
                                  "the file has relocations in its code: compile it with -fPIC");
        return 0;
    case DT_FLAGS_1:
        if ((entry->d_un.d_val & DF_1_PIE) != 0)
            return mrpc_error_set(image->error, MRPC_EFORMAT,
                                  "the file is a program, not a shared object: link it with -shared");
        if ((entry->d_un.d_val & DF_1_NODELETE) != 0)
            return mrpc_error_set(image->error, MRPC_EMODULE,
                                  "the file could never be unloaded: link it without -z nodelete");
        return 0;
    default:
        return 0;
    }
}

static int check_dynamic(const elf_image *image)
{
    extent dynamic = find_dynamic(image);
    if (dynamic.size == 0)
        return mrpc_error_set(image->error, MRPC_EFORMAT, "the file is not a shared object: it has no dynamic section");
    extent strings = find_strings(image, dynamic);
    Elf64_Dyn entry;
    for (size_t i = 0; dynamic_at(image, dynamic, i, &entry); i++) {
        int result = check_dynamic_entry(image, strings, &entry);
        if (result != 0)
            return result;
    }
    return 0;
}

/* NUL-terminated within `size`, printable, and with NULs to the end: it is shown to people. */
static bool is_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length == size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (i < length ? !isprint((unsigned char)text[i]) : text[i] != '\0')
            return false;
    return true;
}

static int take_note(const elf_image *image, size_t offset, size_t size, mrpc_module_note *note)
{
    if (size < sizeof *note)
        return mrpc_error_set(
            image->error, MRPC_EMODULE,
            "the file's mrpc note has %zu bytes instead of %zu: it was made by another version of mrpc", size,
            sizeof *note);
    fetch(image, offset, note, sizeof *note);
    if (note->type != MRPC_NOTE_MODULE && note->type != MRPC_NOTE_SERVICE)
        return mrpc_error_set(image->error, MRPC_EMODULE, "the file's mrpc note is of the unknown type %u", note->type);
    if (!is_text(note->file, sizeof note->file) || note->file[0] == '\0' || !is_text(note->stamp, sizeof note->stamp))
        return mrpc_error_set(image->error, MRPC_EMODULE, "the file's mrpc note is damaged: name or stamp is not text");
    return 0;
}

static size_t padded(uint32_t size, size_t alignment)
{
    return ((size_t)size + alignment - 1) & ~(alignment - 1);
}

/* Walks the notes of one segment and adds those of mrpc to *found. */
static int read_notes(const elf_image *image, const Elf64_Phdr *segment, mrpc_module_note *note, size_t *found)
{
    size_t alignment = segment->p_align == 8 ? 8 : 4, at = (size_t)segment->p_offset, left = (size_t)segment->p_filesz;
    if (left > MRPC_ELF_NOTE_BYTES)
        return mrpc_error_set(image->error, MRPC_EFORMAT, "the file has %zu bytes of notes; allowed are %d", left,
                              MRPC_ELF_NOTE_BYTES);
    while (left >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr header;
        fetch(image, at, &header, sizeof header);
        size_t name = padded(header.n_namesz, 4), size = sizeof header + name + padded(header.n_descsz, alignment);
        size_t whole = sizeof header + name + header.n_descsz; /* the last note need not be padded */
        if (whole > left)
            return mrpc_error_set(image->error, MRPC_EFORMAT, "the file is damaged: a note reaches beyond its segment");
        if (header.n_namesz == 5 && memcmp(image->data + at + sizeof header, "mrpc", 5) == 0) {
            int result = take_note(image, at, whole, note);
            if (result != 0)
                return result;
            ++*found;
        }
        at += size < left ? size : left;
        left -= size < left ? size : left;
    }
    return 0;
}

static int find_note(const elf_image *image, mrpc_module_note *note)
{
    size_t found = 0;
    for (size_t i = 0; i < image->segments; i++) {
        Elf64_Phdr segment = segment_at(image, i);
        int result = segment.p_type == PT_NOTE ? read_notes(image, &segment, note, &found) : 0;
        if (result != 0)
            return result;
    }
    if (found == 0)
        return mrpc_error_set(
            image->error, MRPC_EMODULE,
            "the file has no mrpc note: it is not a module; make one with mrpc-module build FILE.proto");
    if (found > 1)
        return mrpc_error_set(image->error, MRPC_EMODULE,
                              "the file has %zu mrpc notes: build each module into an object of its own", found);
    return 0;
}

int mrpc_elf_read(const void *data, size_t size, mrpc_module_note *note, mrpc_error *error)
{
    elf_image image = {.data = data, .size = size, .error = error};
    int result = read_header(&image);
    if (result == 0)
        result = check_segments(&image);
    if (result == 0)
        result = check_dynamic(&image);
    if (result == 0)
        result = find_note(&image, note);
    return result;
}
