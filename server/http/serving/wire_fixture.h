// WireFixture: a Wire on invented time, with the client at its other end; for tests.
#ifndef GROVE_SERVER_HTTP_SERVING_WIRE_FIXTURE_H_
#define GROVE_SERVER_HTTP_SERVING_WIRE_FIXTURE_H_

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "server/http/serving/wire.h"

namespace grove::http {

class WireFixture : public HubTest {
 protected:
  template <typename F>
  void RunWithWire(F&& body) {
    Run([&] {
      int fds[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
      client_ = fds[1];
      {
        Wire wire(*Socket::Adopt(fds[0]), options_, stats_, blocks_);
        body(wire);
        wire.output().Settle();
      }
      Leave();
    });
  }
  // The client's side.
  void Send(std::string_view bytes) const {
    ASSERT_EQ(send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string Received() const {
    std::string piece(65536, '\0');  // a fiber's stack is small
    const ssize_t got = recv(client_, piece.data(), piece.size(), MSG_DONTWAIT);
    piece.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return piece;
  }
  void Leave() {
    if (client_ >= 0) close(std::exchange(client_, -1));
  }

  ServerOptions options_;
  ServerStats stats_;
  BlockPool blocks_;
  int client_ = -1;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_WIRE_FIXTURE_H_
