// A crawl: so many pages over so many origins, with the memory that it holds on the way, and what
// an idle kept connection takes.
//
// usage: crawl_bench SCHEME PORT PATH COUNT ORIGINS CONCURRENCY [CA_FILE]
// Origins are 127.0.A.B. Prints a line for each tenth: pages, pages/s, MiB on the heap, MiB
// resident; at the half and at the end also bytes of the heap for each idle connection, which it
// closes: those of the second half have resumed sessions.
#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "http/client/http_client.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/hub.h"

namespace grove::http {
namespace {

struct Crawl {
  std::string scheme;
  int port;
  std::string path;
  int count;
  int origins;
  int concurrency;
};

double ResidentMib() {
  std::ifstream file("/proc/self/statm");
  size_t whole = 0, resident = 0;
  file >> whole >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double HeapMib() {
  return static_cast<double>(mallinfo2().uordblks) / (1 << 20);
}

void CloseIdle(HttpClient& client) {
  const HttpClientStats stats = client.stats();
  const int64_t idle = stats.pool.idle + stats.http2.idle;
  const size_t with = mallinfo2().uordblks;
  client.CloseIdle();
  // Those of HTTP/2 say goodbye, and their fibers end.
  while (client.stats().http2.connections > 0) Sleep(absl::Milliseconds(1)).IgnoreError();
  Sleep(absl::Milliseconds(100)).IgnoreError();
  const size_t without = mallinfo2().uordblks;
  printf("made %lu, reused %lu, evicted %lu, resumed %lu; idle %ld, %ld bytes each\n",
         stats.pool.made, stats.pool.reused, stats.pool.evicted, stats.dial.resumed, idle,
         idle == 0 ? 0 : static_cast<long>(with - without) / idle);
}

int Run(HttpClient& client, const Crawl& crawl) {
  int failed = 0;
  int next = 0;
  for (int tenth = 0; tenth < 10; ++tenth) {
    const absl::Time began = absl::Now();
    FiberPool pool(crawl.concurrency);
    for (int i = 0; i < crawl.count / 10; ++i) {
      const int origin = ++next % crawl.origins;
      std::string url = absl::StrCat(crawl.scheme, "://127.0.", 1 + origin / 250, ".",
                                     1 + origin % 250, ":", crawl.port, crawl.path);
      (void)pool.Spawn({.name = "page"}, [&client, &failed, url = std::move(url)] {
        const absl::StatusOr<HttpResponse> page = client.Fetch({.url = url});
        if (page.ok() && page->status == 200) return;
        if (failed++ == 0) fprintf(stderr, "%s\n", page.status().ToString().c_str());
      });
    }
    pool.WaitAll().IgnoreError();
    const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
    printf("%d %.0f %.1f %.1f\n", next, static_cast<double>(crawl.count) / 10 / seconds, HeapMib(),
           ResidentMib());
    if (tenth == 4 || tenth == 9) CloseIdle(client);
    fflush(stdout);
  }
  return failed;
}

int Main(const Crawl& crawl, const std::string& ca_file) {
  HttpClientOptions options;
  options.dial.tls.ca_file = ca_file;
  std::unique_ptr<HttpClient> client = *HttpClient::Create(std::move(options));
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  int failed = 0;
  hub->Run([&] { failed = Run(*client, crawl); }).IgnoreError();
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace grove::http

int main(int argc, char** argv) {
  if (argc < 7) {
    fprintf(stderr, "usage: crawl_bench SCHEME PORT PATH COUNT ORIGINS CONCURRENCY [CA_FILE]\n");
    return 2;
  }
  return grove::http::Main(
      {argv[1], atoi(argv[2]), argv[3], atoi(argv[4]), atoi(argv[5]), atoi(argv[6])},
      argc > 7 ? argv[7] : "");
}
