# SPDX-License-Identifier: BSD-2-Clause
# text/ - what it adds to the build; Makefile.am says how.
proto_sources += text/bracket.c text/lexer.c text/lexer.h text/literal.c text/parse.c text/parser.h text/print.c text/print_unknown.c \
	text/printer.h text/value.c
