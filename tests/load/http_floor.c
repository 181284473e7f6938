/* The floor of the HTTP benchmark: what one read(2) and one write(2) per request allow, without
   parsing or routing. usage: http_floor PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char kAnswer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\nHello, World!\n";

static int Listen(int port) {
  const int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr*)&address, sizeof address) || listen(fd, 4096)) {
    perror("http_floor: listen");
    exit(1);
  }
  return fd;
}

static void Watch(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void Accept(int epoll, int listener) {
  const int on = 1;
  const int fd = accept4(listener, 0, 0, SOCK_NONBLOCK);
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Watch(epoll, fd);
}

static void Answer(int fd) {
  char request[8192];
  if (read(fd, request, sizeof request) <= 0 || write(fd, kAnswer, sizeof kAnswer - 1) < 0)
    close(fd);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: http_floor PORT\n");
    return 2;
  }
  const int listener = Listen(atoi(argv[1]));
  const int epoll = epoll_create1(0);
  Watch(epoll, listener);
  for (;;) {
    struct epoll_event events[256];
    const int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == listener) {
        Accept(epoll, listener);
      } else {
        Answer(events[i].data.fd);
      }
    }
  }
}
