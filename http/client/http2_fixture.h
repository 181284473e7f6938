// The other end of HTTP/2 connections: a server's session of nghttp2, which a test tells what to
// do.
#ifndef GROVE_HTTP_CLIENT_HTTP2_FIXTURE_H_
#define GROVE_HTTP_CLIENT_HTTP2_FIXTURE_H_

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/client/client_fixture.h"
#include "http/client/http_request.h"
#include "runtime/io/stream.h"

namespace grove::http {

class Http2Peer {
 public:
  struct Request {
    HttpFields fields;
    std::string body;
    bool has_head = false;
    bool ended = false;
    std::optional<uint32_t> reset;  // by the client, with that code

    std::string Field(std::string_view name) const {
      for (const auto& [each, value] : fields) {
        if (each == name) return value;
      }
      return "";
    }
    std::string path() const { return Field(":path"); }
  };
  struct Options {
    uint32_t streams_max = 100;
    // Else it lets the client send no more than the first 65,535 bytes of a body.
    bool opens_windows = true;
    // Else it is deaf to pings.
    bool answers_pings = true;
  };

  explicit Http2Peer(Stream& stream) : Http2Peer(stream, Options()) {}
  Http2Peer(Stream& stream, const Options& options);
  ~Http2Peer() { nghttp2_session_del(session_); }
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  // Sends what is to be sent, and takes what comes next; false at the end. **Parks.**
  bool Pump() {
    if (!Flush()) return false;
    char piece[16 * 1024];
    absl::StatusOr<size_t> got = stream_.Read(piece);
    if (!got.ok() || *got == 0) return false;
    const auto* bytes = reinterpret_cast<const uint8_t*>(piece);
    return nghttp2_session_mem_recv(session_, bytes, *got) >= 0 && Flush();
  }
  // Until that holds; false if the connection ends before. **Parks.**
  bool Until(const std::function<bool()>& holds) {
    while (!holds()) {
      if (!Pump()) return holds();
    }
    return true;
  }
  // The number of the next request that is whole and was not yielded yet; 0 at the end. **Parks.**
  int32_t Next();
  // Answers all requests until the connection ends.
  void AnswerAll(std::string_view body = "ok") {
    while (const int32_t id = Next()) Answer(id, body);
  }

  Request& request(int32_t id) { return requests_[id]; }
  size_t requests() const { return requests_.size(); }
  // Goodbyes of the client's.
  std::optional<uint32_t> goaway() const { return goaway_; }
  size_t pings() const { return pings_; }

  void Answer(int32_t id, std::string_view body = "ok", const HttpFields& fields = {}) {
    Head(id, 200, fields);
    Data(id, body, true);
  }
  void Head(int32_t id, int status, const HttpFields& fields = {}, bool ends = false) {
    HttpFields all = {{":status", std::to_string(status)}};
    all.insert(all.end(), fields.begin(), fields.end());
    Headers(id, all, ends);
  }
  void Headers(int32_t id, const HttpFields& fields, bool ends);
  // Behind what was said of it before.
  void Data(int32_t id, std::string_view bytes, bool ends);
  // Of Data(), what the client's windows have let out.
  size_t sent(int32_t id) { return outgoing_[id].sent; }
  void Trailers(int32_t id, const HttpFields& fields) { Headers(id, fields, true); }
  void Reset(int32_t id, uint32_t code) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
    Flush();
  }
  // It goes on with streams up to that one.
  void GoAway(int32_t last, uint32_t code = NGHTTP2_NO_ERROR) {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, code, nullptr, 0);
    Flush();
  }
  void Settings(int32_t id, uint32_t value) {
    const nghttp2_settings_entry entry = {id, value};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &entry, 1);
    Flush();
  }
  // Takes what was kept back without opens_windows.
  void OpenWindows(int32_t id, size_t bytes) {
    nghttp2_session_consume(session_, id, bytes);
    Flush();
  }
  // Frames as they are; false once the client has hung up. **Parks.**
  bool Raw(std::string_view bytes) { return stream_.Write(bytes).ok(); }
  static std::string Frame(uint8_t type, uint8_t flags, int32_t id, std::string_view payload);

  bool Flush();

 private:
  struct Outgoing {
    std::string bytes;
    size_t sent = 0;
    bool ends = false;
    bool begun = false;
  };

  struct Callbacks;

  Stream& stream_;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Request> requests_;
  std::map<int32_t, Outgoing> outgoing_;
  int32_t yielded_ = 0;
  std::optional<uint32_t> goaway_;
  size_t pings_ = 0;
};

inline HttpClientOptions PriorKnowledge() {
  HttpClientOptions options;
  options.http2 = Http2Offer::kPriorKnowledge;
  return options;
}

// Runs `body` beside a server that does with each connection what `serve` says.
inline void WithPeer(const std::function<void(Http2Peer&, int)>& serve,
                     const std::function<void(Script&, HttpClient&)>& body,
                     HttpClientOptions options = PriorKnowledge(),
                     Http2Peer::Options peer_options = Http2Peer::Options()) {
  WithScript(
      [&](Socket& socket, int number) {
        Http2Peer peer(socket, peer_options);
        serve(peer, number);
      },
      body, std::move(options));
}

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_HTTP2_FIXTURE_H_
