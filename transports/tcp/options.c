/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - sockets as the connection options say; what is set on a listening socket is inherited by those it accepts
 */
#include "config.h"

#include "transports/tcp/tcp.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static int set_number(int fd, int level, int name, uint32_t value, const char *option, mrpc_error *error)
{
    int number = value > INT_MAX ? INT_MAX : (int)value;
    if (setsockopt(fd, level, name, &number, sizeof number) == 0)
        return 0;
    if (errno == EINVAL)
        return mrpc_error_set(error, MRPC_EINVAL, "tcp: the kernel refuses the connection option %s = %u", option,
                              value);
    return mrpc_error_system(error, errno, "tcp: connection option %s = %u", option, value);
}

static int set_congestion(int fd, const char *name, mrpc_error *error)
{
    if (name == NULL)
        return 0;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0)
        return 0;
    if (errno == ENOENT || errno == EPERM || errno == EINVAL)
        return mrpc_error_set(error, MRPC_EINVAL,
                              "tcp: connection option congestion: \"%s\" cannot be used here; sysctl "
                              "net.ipv4.tcp_available_congestion_control lists what can",
                              name);
    return mrpc_error_system(error, errno, "tcp: connection option congestion = %s", name);
}

static int set_keepalive(int fd, uint32_t seconds, mrpc_error *error)
{
    if (seconds == 0)
        return 0;
    int failure = set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "keepalive_s", error);
    return failure != 0 ? failure : set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds, "keepalive_s", error);
}

static int set_options(int fd, const mrpc_connection_options *options, mrpc_error *error)
{
    int failure = set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", error);
    if (failure == 0)
        failure = set_number(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, options->unsent, "unsent", error);
    if (failure == 0)
        failure = set_congestion(fd, options->congestion, error);
    if (failure == 0 && options->send_buffer != 0)
        failure = set_number(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer, "send_buffer", error);
    if (failure == 0 && options->receive_buffer != 0)
        failure = set_number(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer, "receive_buffer", error);
    if (failure == 0)
        failure = set_keepalive(fd, options->keepalive_s, error);
    if (failure == 0 && options->busy_poll_us != 0)
        failure = set_number(fd, SOL_SOCKET, SO_BUSY_POLL, options->busy_poll_us, "busy_poll_us", error);
    return failure;
}

int mrpc_tcp_socket_new(int *result, int family, const mrpc_connection_options *options, mrpc_error *error)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return mrpc_error_system(error, errno, "tcp: socket%s", errno == EMFILE ? " (ulimit -n raises the limit)" : "");
    int failure = set_options(fd, options, error);
    if (failure != 0) {
        close(fd);
        return failure;
    }
    *result = fd;
    return 0;
}
