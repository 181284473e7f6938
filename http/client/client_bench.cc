// Fetches of one URL: how many a second, and what of this process's time each takes.
//
// usage: client_bench URL COUNT CONCURRENCY [CA_FILE]
// Prints fetches/s and the CPU seconds of the loop, without the start.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "http/client/http_client.h"
#include "runtime/hub/hub.h"

namespace grove::http {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Run {
  HttpClient& client;
  std::string url;
  int left;
  int failed = 0;

  void Work() {
    while (left-- > 0) {
      absl::StatusOr<HttpResponse> answer = client.Fetch({.url = url});
      if (answer.ok() && answer->status == 200) continue;
      if (failed++ == 0) fprintf(stderr, "%s\n", answer.status().ToString().c_str());
    }
  }
};

int Main(const std::string& url, int count, int concurrency, const std::string& ca_file) {
  HttpClientOptions options;
  options.dial.tls.ca_file = ca_file;
  options.pool.per_origin_max = concurrency;
  options.pool.connections_max = concurrency;
  std::unique_ptr<HttpClient> client = *HttpClient::Create(options);
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  int failed = 0;
  hub->Run([&] {
       const auto all = [&](int fetches) {
         Run run{*client, url, fetches};
         std::vector<FiberHandle> fibers;
         fibers.reserve(concurrency);
         for (int i = 0; i < concurrency; ++i)
           fibers.push_back(*Spawn("fetch", [&] { run.Work(); }));
         for (FiberHandle& fiber : fibers) fiber.Join().IgnoreError();
         failed += run.failed;
       };
       all(concurrency);
       const absl::Time began = absl::Now();
       const double cpu = CpuSeconds();
       all(count);
       const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
       printf("%.0f %.4f\n", count / seconds, CpuSeconds() - cpu);
     })
      .IgnoreError();
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace grove::http

int main(int argc, char** argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: client_bench URL COUNT CONCURRENCY [CA_FILE]\n");
    return 2;
  }
  return grove::http::Main(argv[1], atoi(argv[2]), atoi(argv[3]), argc > 4 ? argv[4] : "");
}
