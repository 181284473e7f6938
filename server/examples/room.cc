// room: what one WebSocket client says is told to all, whichever worker they are connected to.
//
//   room --workers=2 &
//   python3 -m websockets ws://127.0.0.1:8090/room
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/runtime.h"
#include "server/main.h"
#include "server/topics/topics.h"

namespace {

// Says first which worker it is, then what all say, and what this client was too slow for.
absl::Status Tell(grove::http::WebSocket& socket, grove::topics::Subscription& room) {
  for (;;) {
    GROVE_ASSIGN_OR_RETURN(const grove::topics::Message said, room.Next());
    if (const auto gap = room.TakeGap(); gap.any()) {
      GROVE_RETURN_IF_ERROR(socket.SendText(absl::StrCat("missed ", gap.dropped + gap.lost)));
    }
    GROVE_RETURN_IF_ERROR(
        socket.SendText(absl::StrCat("from worker ", said.worker, ": ", said.bytes())));
  }
}

absl::Status Attend(grove::WorkerServices& services, grove::http::WebSocket& socket) {
  GROVE_ASSIGN_OR_RETURN(grove::topics::Subscription room, services.topics.Subscribe("room", 100));
  GROVE_RETURN_IF_ERROR(socket.SendText(absl::StrCat("at worker ", services.worker)));
  return grove::FiberGroup::Run(
      grove::FiberGroup::OnFailure::kCancelRest, [&](grove::FiberGroup& group) -> absl::Status {
        GROVE_ASSIGN_OR_RETURN(auto teller,
                               group.Spawn("teller", [&] { return Tell(socket, room); }));
        auto message = socket.Receive();
        for (; message.ok() && message->has_value(); message = socket.Receive()) {
          GROVE_RETURN_IF_ERROR(services.topics.Publish("room", (*message)->payload));
        }
        teller.Cancel();
        return message.status();
      });
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("room");
  application.AddWebSocketFactory("room", [](grove::WorkerServices& services) {
    return [&services](grove::http::WebSocket& socket, const grove::http::Request&) {
      return Attend(services, socket);
    };
  });
  application.AddRoute("GET", "/room", "room");
  return grove::Main(argc, argv, application);
}
