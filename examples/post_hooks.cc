// post_hooks: something to do once a response has been sent.
//
// eventlet's: env['eventlet.posthooks'].append((hook, args, kwargs)): callbacks after the response.
// These also run when the client went away, and are told how it ended.
//
//   post_hooks &
//   curl http://127.0.0.1:8090/
#include "server/log.h"
#include "server/main.h"

absl::Status Answer(grove::http::Request& request, grove::http::Response& response) {
  response.AddPostHook([client = std::string(request.peer)](const auto& outcome) {
    grove::Log(grove::LogLevel::kInfo, "sent",
               {{"client", client}, {"status", outcome.status}, {"whole", outcome.complete}});
  });
  return response.Send(200, "text/plain", "the log tells when this was sent\n");
}

int main(int argc, char** argv) {
  grove::Application application("post_hooks");
  application.Handle("GET", "/", Answer);
  return grove::Main(argc, argv, application);
}
