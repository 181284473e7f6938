// feed_titles: the titles of many feeds, fetched at once, in the order in which they were asked
// for.
//
// eventlet's (12 lines, without the server around it): POST a list of feed URLs, one a line; a
// GreenPile on a shared pool fetches them at once; the answer is the titles in order. As there, all
// requests share a pool, and a feed that fails fails its request. `groved` has POST /titles, which
// says on its line why a feed failed.
//
//   feed_titles &
//   printf '%s\n' https://example.org/feed.atom | curl --data-binary @- http://127.0.0.1:8090/
#include "server/functions/feed_titles.h"
#include "absl/strings/str_split.h"
#include "runtime/runtime.h"
#include "server/main.h"

grove::http::Handler TitlesHandler(grove::WorkerServices& services) {
  const auto pool = std::make_shared<grove::FiberPool>(100);  // of this worker
  return [pool, &services](grove::http::Request& request, grove::http::Response& response) {
    GROVE_ASSIGN_OR_RETURN(const std::string body, request.ReadWholeBody());
    const std::vector<std::string> urls = absl::StrSplit(body, '\n', absl::SkipEmpty());
    grove::FiberPile<std::string> pile(*pool);
    for (const std::string& url : urls) {
      const auto fetch = [&services, url] {
        return grove::functions::FetchFeedTitle(services.fetch, url);
      };
      GROVE_RETURN_IF_ERROR(pile.Spawn({.name = "feed"}, fetch));
    }
    std::string titles;
    for (auto& title : pile) {
      GROVE_RETURN_IF_ERROR(title);
      titles += *title + "\n";
    }
    return response.Send(200, "text/plain; charset=utf-8", titles);
  };
}

int main(int argc, char** argv) {
  grove::Application titles("feed_titles");
  titles.AddHandlerFactory("titles", TitlesHandler);
  titles.AddRoute("POST", "/", "titles");
  return grove::Main(argc, argv, titles);
}
