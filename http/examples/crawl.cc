// Fetches the pages that are named, some at once, and says how long each is.
#include <cstdio>
#include <memory>
#include <string>

#include "http/client/http_client.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

int main(int argc, char** argv) {
  std::unique_ptr<grove::Hub> hub = *grove::Hub::Create({.stack_bytes = 256 * 1024});
  std::unique_ptr<grove::http::HttpClient> client = *grove::http::HttpClient::Create();
  int failed = 0;
  const absl::Status status = hub->Run([&] {
    grove::FiberPool pool(100);
    for (int i = 1; i < argc; ++i) {
      (void)pool.Spawn({.name = "page"}, [&, url = std::string(argv[i])] {
        grove::Timeout timeout(absl::Seconds(10));
        absl::StatusOr<grove::http::HttpResponse> page = client->Fetch({.url = url});
        if (!page.ok()) ++failed;
        std::printf("%s: %s\n", url.c_str(),
                    page.ok() ? std::to_string(page->body.size()).c_str()
                              : page.status().ToString().c_str());
      });
    }
    return pool.WaitAll();
  });
  return status.ok() && failed == 0 ? 0 : 1;
}
