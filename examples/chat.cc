// chat: what one WebSocket client says is told to all.
//
// eventlet's websocket_chat: a set of participants; each message goes to all of them. Here each has
// a queue of what it is yet to be told, and a fiber that sends it: who reads slowly holds up
// nobody, and misses what is beyond a hundred messages. All are clients of one worker: run one.
//
//   chat --workers=1 &
//   python3 -m websockets ws://127.0.0.1:8090/chat
#include <set>

#include "runtime/runtime.h"
#include "server/main.h"

using Outbox = grove::Queue<std::string>;

std::set<Outbox*> members;

absl::Status Chat(grove::http::WebSocket& socket, const grove::http::Request&) {
  Outbox outbox(100);
  GROVE_ASSIGN_OR_RETURN(auto sender, grove::Spawn("sender", [&]() -> absl::Status {
                           for (auto& text : outbox) {
                             GROVE_RETURN_IF_ERROR(text);
                             GROVE_RETURN_IF_ERROR(socket.SendText(*text));
                           }
                           return absl::OkStatus();
                         }));
  members.insert(&outbox);
  auto message = socket.Receive();
  for (; message.ok() && message->has_value(); message = socket.Receive()) {
    for (Outbox* member : members) (void)member->TryPut(std::string((*message)->payload));
  }
  members.erase(&outbox);
  outbox.Close();
  sender.AwaitEnd();
  return message.status();
}

int main(int argc, char** argv) {
  grove::Application chat("chat");
  chat.HandleWebSocket("/chat", Chat);
  return grove::Main(argc, argv, chat);
}
