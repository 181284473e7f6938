// Publish and subscribe: one fiber tells the news, others hear what they asked for.
//
// A PUB drops what nobody has subscribed to yet, so that who starts late, or connects slowly,
// misses the first messages. An XPUB is told of subscriptions, and can wait for them.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "zeromq/context.h"
#include "zeromq/socket.h"

namespace {

using namespace grove;
using zeromq::SocketType;

absl::Status Listen(zeromq::Context& context, const std::string& address, const std::string& topic,
                    int* heard) {
  absl::StatusOr<std::unique_ptr<zeromq::Socket>> news =
      zeromq::Socket::Open(context, SocketType::kSub);
  if (!news.ok()) return news.status();
  if (absl::Status done = (*news)->Subscribe(topic); !done.ok()) return done;
  if (absl::Status done = (*news)->Connect(address); !done.ok()) return done;
  for (;;) {
    absl::StatusOr<zeromq::Message> message = (*news)->Receive();  // topic, text
    if (!message.ok()) return message.status();
    if ((*message)[1] == "end") return absl::OkStatus();
    ++*heard;
  }
}

absl::Status Tell(zeromq::Socket& news, int listeners) {
  for (int i = 0; i < listeners; ++i) {
    Timeout patience(absl::Seconds(30));
    // "\x01" and the topic: somebody has subscribed.
    if (auto subscription = news.Receive(); !subscription.ok()) return subscription.status();
  }
  for (const char* text : {"first", "second", "end"}) {
    for (const char* topic : {"weather", "sports"}) {
      if (absl::Status sent = news.Send(zeromq::MessageOf(topic, text)); !sent.ok()) return sent;
    }
  }
  return absl::OkStatus();
}

absl::Status Main() {
  auto context = zeromq::Context::Create();
  if (!context.ok()) return context.status();
  {
    auto news = zeromq::Socket::Open(**context, SocketType::kXPub);
    if (!news.ok()) return news.status();
    absl::StatusOr<std::string> address = (*news)->Bind("tcp://127.0.0.1:*");
    if (!address.ok()) return address.status();
    const std::vector<std::string> topics = {"weather", "sports"};
    std::vector<int> heard(topics.size());
    FiberGroup group(FiberGroup::OnFailure::kCancelRest);
    for (size_t i = 0; i < topics.size(); ++i) {
      auto listener = group.Spawn(
          "listener", [&, i] { return Listen(**context, *address, topics[i], &heard[i]); });
      if (!listener.ok()) return listener.status();
    }
    if (absl::Status told = Tell(**news, static_cast<int>(topics.size())); !told.ok()) return told;
    if (absl::Status ended = group.Join(); !ended.ok()) return ended;
    for (size_t i = 0; i < topics.size(); ++i) {
      std::printf("%s: %d messages\n", topics[i].c_str(), heard[i]);
      if (heard[i] != 2) return absl::InternalError("a message was missed");
    }
  }
  return (*context)->Close();
}

}  // namespace

int main() {
  auto hub = grove::Hub::Create();
  const absl::Status status = hub.ok() ? (*hub)->Run(Main) : hub.status();
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
