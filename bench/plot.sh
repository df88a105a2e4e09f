#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# plot.sh - draws what compare.sh --out wrote:  plot.sh FILE >docs/bench.svg
#
# Each bar is a system's speed as a part of that of the plain loop over the same medium in the same run, so that the picture
# says how much of the machine is left to the caller.
set -eu
[ $# -eq 1 ] && [ -r "$1" ] || { sed -n 3p "$0" >&2; exit 2; }

awk '
BEGIN {
    systems = split("mrpc_tcp mrpc_epoll grpc mrpc_shm", system_of)
    label["mrpc_tcp"] = "mrpc, tcp (io_uring)"; colour["mrpc_tcp"] = "#1b6ca8"
    label["mrpc_epoll"] = "mrpc, tcp (epoll)"; colour["mrpc_epoll"] = "#7fb2d9"
    label["grpc"] = "gRPC C++, tcp"; colour["grpc"] = "#b5b5b5"
    label["mrpc_shm"] = "mrpc, shared memory"; colour["mrpc_shm"] = "#e08a1e"
    cases = split("spinning.1 one-core.1 spinning.128 one-core.128", case_of)
    title["spinning.1"] = "one call at a time|two cores, spinning"; title["one-core.1"] = "one call at a time|one core, sleeping"
    title["spinning.128"] = "128 in flight|two cores, spinning"; title["one-core.128"] = "128 in flight|one core, sleeping"
}
{ ratio[$1 "." $2, $3] = $7; rate[$1 "." $2, $3] = $4 }
function human(value) { return value >= 1e6 ? sprintf("%.1f M/s", value / 1e6) : sprintf("%.0f k/s", value / 1e3) }
END {
    width = 900; height = 360; left = 60; top = 60; plot = 210; group = 200; bar = 40
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height
    printf "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height
    print "<text x=\"60\" y=\"24\" font-size=\"16\" font-weight=\"bold\">64-byte calls: speed as a part of a plain loop over the same medium</text>"
    for (i = 0; i <= 4; i++) {
        y = top + plot - i * plot / 4
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.2f</text>\n", \
            left, width - 20, y, y, left - 6, y + 4, i / 4
    }
    for (c = 1; c <= cases; c++) {
        x = left + 20 + (c - 1) * group
        split(title[case_of[c]], lines, "|")
        printf "<text x=\"%d\" y=\"%d\">%s</text><text x=\"%d\" y=\"%d\" fill=\"#666\">%s</text>\n", x, top + plot + 18, lines[1], x, top + plot + 34, lines[2]
        for (s = 1; s <= systems; s++) {
            key = case_of[c] SUBSEP system_of[s]
            if (!(key in ratio) || ratio[key] == "-") continue
            part = ratio[key] > 1.1 ? 1.1 : ratio[key]
            printf "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" fill=\"%s\"/>", x + (s - 1) * (bar + 2), top + plot - part * plot, bar, part * plot, colour[system_of[s]]
            printf "<text x=\"%d\" y=\"%.1f\" font-size=\"9\" text-anchor=\"middle\">%s</text>\n", x + (s - 1) * (bar + 2) + bar / 2, top + plot - part * plot - 4, human(rate[key])
        }
    }
    for (s = 1; s <= systems; s++)
        printf "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n", \
            left + (s - 1) * 200, height - 30, colour[system_of[s]], left + (s - 1) * 200 + 18, height - 20, label[system_of[s]]
    print "</svg>"
}' "$1"
