// notes: HTTP handlers of one's own: parameters, bodies both ways, errors, hooks and a WebSocket.
//
//   notes --workers=1 &
//   curl -T letter.txt http://127.0.0.1:8090/notes/letter
//   curl http://127.0.0.1:8090/notes/letter
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "server/application.h"
#include "server/http/websocket/websocket_handler.h"
#include "server/log.h"
#include "server/main.h"

namespace {

using grove::http::Request;
using grove::http::Response;

constexpr size_t kNoteBytesMax = 64 * 1024;
constexpr size_t kNotesMax = 1000;

// Of this worker process. Its fibers never run at the same time, so there is nothing to lock.
std::map<std::string, std::string, std::less<>> notes;

// PUT /notes/{name}: a body as a whole. An error before the first byte becomes the answer, 503 for
// kUnavailable; kResourceExhausted would be 429, so a long body is answered here.
absl::Status PutNote(Request& request, Response& response) {
  absl::StatusOr<std::string> body = request.ReadWholeBody(kNoteBytesMax);
  if (absl::IsResourceExhausted(body.status())) {
    return response.Send(413, "text/plain", "a note has at most 64 KiB\n");
  }
  if (!body.ok()) return body.status();
  if (notes.size() >= kNotesMax) return absl::UnavailableError("there are too many notes");
  const auto [place, added] = notes.insert_or_assign(std::string(*request.Param("name")), *body);
  return response.Send(added ? 201 : 204, "", "");
}

// GET /notes/{name}: a whole answer at once; kNotFound is 404.
absl::Status GetNote(Request& request, Response& response) {
  const auto found = notes.find(*request.Param("name"));
  if (found == notes.end()) return absl::NotFoundError("no such note");
  return response.Send(200, "text/plain; charset=utf-8", found->second);
}

// POST /count: a body that is never held as a whole; a hook that runs whatever happens; no more
// work than there is somebody to hear of it.
absl::Status CountBytes(Request& request, Response& response) {
  request.CancelOnDisconnect();
  response.AddPostHook([](const grove::http::ResponseOutcome& outcome) {
    grove::Log(grove::LogLevel::kInfo, "counted", {{"whole", outcome.complete}});
  });
  char piece[4096];
  uint64_t bytes = 0;
  for (;;) {
    const absl::StatusOr<size_t> got = request.ReadBody(piece);  // parks while there is nothing
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    bytes += *got;
  }
  return response.Send(200, "text/plain", absl::StrCat(bytes, "\n"));
}

// GET /ticks: an answer as it comes about. What was written is sent when the fiber parks.
absl::Status Ticks(Request&, Response& response) {
  response.Add("Content-Type", "text/event-stream");
  for (int tick = 1; tick <= 3; ++tick) {
    absl::Status written = response.Write(absl::StrCat("data: ", tick, "\n\n"));
    if (!written.ok()) return written;  // the client is gone
    if (absl::Status slept = grove::Sleep(absl::Milliseconds(10)); !slept.ok()) return slept;
  }
  return response.Finish();
}

// GET /shout: a WebSocket.
absl::Status Shout(grove::http::WebSocket& socket, const Request&) {
  for (;;) {
    auto message = socket.Receive();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();  // closed
    absl::Status sent = socket.SendText(absl::StrCat((*message)->payload, "!"));
    if (!sent.ok()) return sent;
  }
}

}  // namespace

int main(int argc, char** argv) {
  grove::Application application("notes");
  application.Handle("PUT", "/notes/{name}", PutNote);
  application.Handle("GET", "/notes/{name}", GetNote);
  application.Handle("POST", "/count", CountBytes);
  application.Handle("GET", "/ticks", Ticks);
  application.HandleWebSocket("/shout", Shout);
  return grove::Main(argc, argv, application);
}
