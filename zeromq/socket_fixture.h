// SocketTest: a hub on invented time and a context, whose threads run on the machine's.
#ifndef GROVE_ZEROMQ_SOCKET_FIXTURE_H_
#define GROVE_ZEROMQ_SOCKET_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "zeromq/context.h"
#include "zeromq/socket.h"

namespace grove::zeromq {

using Strings = std::vector<std::string>;

inline Strings Texts(const absl::StatusOr<Message>& message) {
  if (!message.ok()) return {message.status().ToString()};
  Strings texts;
  for (const Frame& frame : *message) texts.push_back(frame.text());
  return texts;
}

// Of a message of one frame.
inline std::string Text(const absl::StatusOr<Message>& message) {
  const Strings texts = Texts(message);
  return texts.size() == 1 ? texts[0] : "not one frame";
}

class SocketTest : public HubTest {
 protected:
  std::unique_ptr<Socket> Open(SocketType type, const SocketOptions& options = {}) {
    return *Socket::Open(*context_, type, options);
  }
  // The first is bound, the second connected, over TCP.
  std::pair<std::unique_ptr<Socket>, std::unique_ptr<Socket>> Connected(
      SocketType bound, SocketType connected, const SocketOptions& options = {}) {
    auto first = Open(bound, options);
    auto second = Open(connected, options);
    EXPECT_TRUE(second->Connect(*first->Bind("tcp://127.0.0.1:*")).ok());
    return {std::move(first), std::move(second)};
  }

  std::unique_ptr<Context> context_ = *Context::Create();
};

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_SOCKET_FIXTURE_H_
