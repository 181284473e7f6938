// crawler: fetches pages, many at once, and says how long each is.
//
// eventlet's (13 lines): GreenPool(200).imap(fetch, urls) prints "opening" and "done with" as it
// goes, and the length of each body in the order of the URLs. As there, a page that can't be had
// ends the program.
//
//   crawler http://example.org/ https://example.com/
#include <iostream>

#include "http/client/http_client.h"
#include "runtime/runtime.h"

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, [](const grove::Arguments& urls) {
    GROVE_ASSIGN_OR_RETURN(const auto client, grove::http::HttpClient::Create());
    const auto fetch = [&](const std::string& url) {
      std::cout << "opening " << url << '\n';
      auto page = client->Fetch({.url = url});
      std::cout << "done with " << url << '\n';
      return page;
    };
    return grove::FiberPool::Run(200, [&](grove::FiberPool& pool) {
      for (auto& page : grove::Imap(pool, urls, fetch)) {
        GROVE_RETURN_IF_ERROR(page);
        std::cout << "got body from " << page->url << " of length " << page->body.size() << '\n';
      }
      return absl::OkStatus();
    });
  });
}
