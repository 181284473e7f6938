// FakeHttpPeer: the servers that an application asks over HTTP, as a test scripts them.
//
//   peer.On("GET", "https://rates.example/{currency}").Answer(200, "1.08");
//   peer.On("POST", "/charge").Reset().Answer(503).Answer(200, "{}").Delay(absl::Seconds(2));
//   …
//   EXPECT_EQ(peer.requests().back().body, "{}");
//
// It stands in the place of the network: whatever host is asked, over http or https, is this one.
// No name is looked up, no port is taken and no certificate made, and its delays pass on the hub's
// clock, which in a test is invented. The client is the real one, with its time-outs, redirects and
// limits; each of its requests has a connection of its own. One that no script is for is answered
// with 501 and a text that names it, and Check() says so once more.
//
// TestApplication has one for services.fetch. A client of one's own gets to it by
// HttpClient::Create({.dial = {.connect = peer.Connect()}}). Hub thread only.
#ifndef GROVE_SERVER_TEST_KIT_FAKE_HTTP_PEER_H_
#define GROVE_SERVER_TEST_KIT_FAKE_HTTP_PEER_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "http/client/dialer.h"
#include "http/client/http_request.h"
#include "runtime/group/fiber_group.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/socket.h"

namespace grove::test_kit {

// What it was asked.
struct PeerRequest {
  std::string method;
  std::string url;  // absolute: "https://rates.example/eur?of=today"
  http::HttpFields fields;
  std::string body;

  // The first of that name, in any case; empty if there is none.
  std::string_view Field(std::string_view name) const;
};

struct PeerAnswer {
  int status = 200;
  std::string body;
  // Content-Length is added where neither it nor Transfer-Encoding is among them: a wrong one is
  // sent as it is.
  http::HttpFields fields;
};

class FakeHttpPeer {
 public:
  // What the requests to one target get: each the next step, and the last step all that follow.
  class Script {
   public:
    Script& Answer(int status, std::string body = "", http::HttpFields fields = {});
    // Made when the request is there. May **park**.
    Script& Answer(std::function<PeerAnswer(const PeerRequest&)> make);
    // The connection breaks instead of an answer.
    Script& Reset();
    // Nothing, for as long as the client waits.
    Script& Silence();
    // Of the step before it. Requires: there is one.
    Script& Delay(absl::Duration delay);

   private:
    friend class FakeHttpPeer;
    enum class Kind { kAnswer, kReset, kSilence };
    struct Step {
      Kind kind = Kind::kAnswer;
      std::function<PeerAnswer(const PeerRequest&)> make;
      absl::Duration delay = absl::ZeroDuration();
    };

    Script& Add(Step step);
    bool Takes(const PeerRequest& request) const;
    std::string Name() const;

    std::string method_;  // empty: any
    std::string origin_;  // "https://rates.example"; empty: any
    std::string path_;    // of a route
    std::string query_;   // with its '?'; empty: any
    std::vector<Step> steps_;
    size_t asked_ = 0;
  };

  FakeHttpPeer() = default;
  // Ends its connections. **Parks** if there are any.
  ~FakeHttpPeer() { Stop(); }
  FakeHttpPeer(const FakeHttpPeer&) = delete;
  FakeHttpPeer& operator=(const FakeHttpPeer&) = delete;

  // `target` is a path, of any host, or a URL. Its path is a route's pattern ("/users/{id}",
  // "/files/{path...}"); with a query only that one is meant. An empty method is any. The first
  // script that a request fits has it; the same words again go on with the same script. Requires: a
  // target of that form. The result lives as long as the peer.
  Script& On(std::string_view method, std::string_view target);

  // For DialerOptions::connect. The peer must outlive the client's requests.
  http::HttpConnect Connect();
  // Ends all connections. **Parks** if there are any.
  void Stop();

  // In the order in which they were complete, those without a script too.
  const std::vector<PeerRequest>& requests() const { return requests_; }
  // Of the requests those whose URL is `url`, or whose path (without the query) is.
  std::vector<PeerRequest> RequestsTo(std::string_view url) const;
  // kFailedPrecondition: names what was asked and stands in no script.
  absl::Status Check() const;

 private:
  // One request, and what it gets.
  absl::Status Serve(Socket& socket, const std::string& origin);
  absl::StatusOr<PeerRequest> Read(Socket& socket, BufferedReader& reader,
                                   const std::string& origin) const;
  // What the next request of this kind gets; a step that refuses it where none is.
  Script::Step NextStep(const PeerRequest& request);
  std::string Unscripted(const PeerRequest& request) const;

  std::optional<FiberGroup> group_;  // of the connections since the last Stop()
  std::deque<Script> scripts_;       // never moved
  std::vector<PeerRequest> requests_;
  std::vector<std::string> unscripted_;
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_FAKE_HTTP_PEER_H_
