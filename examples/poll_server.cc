// poll_server: an echo server on plain poll(2), to show what a hub does for its fibers.
//
// eventlet's (25 lines): register, poll, accept, read, hang-up. A hub has this loop once, on
// epoll(7): a fiber that reads registers its descriptor and parks, and the loop resumes it when the
// kernel says that there is something. What each connection is about then stands in a function of
// its own (echo_server.cc) instead of between the lines of the loop.
//
//   poll_server [ADDRESS]
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <vector>

#include "runtime/io/listener.h"

int main(int argc, char** argv) {
  const auto address = grove::SocketAddress::Parse(argc > 1 ? argv[1] : "127.0.0.1:6000");
  const auto listener = address.ok() ? grove::BindListener(*address) : address.status();
  if (!listener.ok()) return std::cerr << listener.status() << '\n', 1;
  std::cout << "listening on " << grove::SocketAddress::OfLocal(*listener).ToString() << std::endl;
  std::vector<pollfd> registered = {{.fd = *listener, .events = POLLIN, .revents = 0}};
  while (poll(registered.data(), registered.size(), -1) >= 0) {
    for (size_t i = registered.size(); i-- > 1;) {
      if (registered[i].revents == 0) continue;
      char bytes[4096];
      const ssize_t got = read(registered[i].fd, bytes, sizeof(bytes));
      if (got > 0 && write(registered[i].fd, bytes, got) == got) continue;
      std::cout << "hang-up" << std::endl;
      close(registered[i].fd);
      registered.erase(registered.begin() + i);
    }
    if (registered[0].revents == 0) continue;
    const int connection = accept(*listener, nullptr, nullptr);
    if (connection < 0) continue;
    std::cout << "accepted" << std::endl;
    registered.push_back({.fd = connection, .events = POLLIN, .revents = 0});
  }
}
