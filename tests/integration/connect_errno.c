// connect_errno: epoll_ctl(2) of who preloads it leaves an errno that is nobody's failure.
//
// GROVE_TEST_FALSE_ERRNOS is how often, each time that a socket of TCP is added: what gRPC 1.51
// then takes for the errno of its connect(2), which came before. That looks at it only where the
// connection is not there at once, as over the loopback it may be: so none is.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int times_left;

__attribute__((constructor)) static void ReadTimes(void) {
  const char* const times = getenv("GROVE_TEST_FALSE_ERRNOS");
  times_left = times == NULL ? 0 : atoi(times);
}

// gRPC asks IPv4 addresses, too, by sockets of IPv6 where it can.
static int IsIp(int family) {
  return family == AF_INET || family == AF_INET6;
}

static int IsIpSocket(int fd) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && IsIp(domain);
}

int connect(int fd, const struct sockaddr* address, socklen_t size) {
  const int result = (int)syscall(SYS_connect, fd, address, size);
  if (result != 0 || !IsIp(address->sa_family)) return result;
  if ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) return result;
  errno = EINPROGRESS;
  return -1;
}

int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event* event) {
  const int result = (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
  if (result == 0 && operation == EPOLL_CTL_ADD && IsIpSocket(fd) &&
      __atomic_fetch_sub(&times_left, 1, __ATOMIC_SEQ_CST) > 0) {
    errno = ENOENT;
  }
  return result;
}
