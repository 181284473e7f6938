// greened_library: a library that blocks, on fibers, unmodified.
//
// eventlet's (2 lines more than the blocking program): import_patched('httplib2'), or
// monkey_patch(socket=True, select=True). A GreenScope is that for one fiber and one scope: inside,
// libc's blocking calls of any library park the fiber. Here it is libcurl's easy interface; all
// pages are fetched at once, on one thread.
//
//   greened_library http://127.0.0.1:8090/ http://127.0.0.1:8090/
#include <curl/curl.h>

#include <iostream>

#include "runtime/green/green_scope.h"
#include "runtime/runtime.h"

absl::Status Fetch(const std::string& url) {
  const grove::GreenScope green;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 &curl_easy_cleanup);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOBODY, 1L);
  std::cout << "asking " << url << std::endl;
  const CURLcode done = curl_easy_perform(curl.get());
  if (done != CURLE_OK) return absl::UnavailableError(url + ": " + curl_easy_strerror(done));
  std::cout << "answered " << url << std::endl;
  return absl::OkStatus();
}

absl::Status Main(const grove::Arguments& urls) {
  using grove::FiberGroup;
  return FiberGroup::Run(FiberGroup::OnFailure::kCancelRest, [&](FiberGroup& group) {
    for (const std::string& url : urls) {
      GROVE_RETURN_IF_ERROR(group.Spawn("fetch", [&url] { return Fetch(url); }));
    }
    return absl::OkStatus();
  });
}

int main(int argc, char** argv) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return grove::RunMain(argc, argv, Main);
}
