# SPDX-License-Identifier: BSD-2-Clause
# json/ - what it adds to the build; Makefile.am says how.
proto_sources += json/extension.c json/known.c json/known.h json/lexer.c json/lexer.h json/names.c json/number.c json/parse.c json/parse_known.c \
	json/parser.h json/print.c json/print_known.c json/time.c json/value.c json/writer.c json/writer.h
