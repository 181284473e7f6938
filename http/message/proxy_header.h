// ProxyHeader: the PROXY protocol's header in front of a connection, versions 1 and 2, without I/O.
//
// A load balancer writes it to tell whose connection it passes on. Format and rules:
// https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt. Takes bytes in any pieces and never
// one behind the header's last.
#ifndef GROVE_HTTP_MESSAGE_PROXY_HEADER_H_
#define GROVE_HTTP_MESSAGE_PROXY_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace grove::http {

class ProxyHeader {
 public:
  // Of version 1, with its CRLF (section 2.1).
  static constexpr size_t kLineBytesMax = 107;
  // Of version 2, before addresses and TLVs (section 2.2).
  static constexpr size_t kFixedBytes = 16;
  // What may follow those. The format allows 65,535; real balancers send addresses (216 bytes at
  // most) and some hundred bytes of TLVs, and a client's certificate is not among them.
  static constexpr size_t kRestBytesMax = 4096;

  enum class Result : uint8_t { kNeedMore, kDone, kMalformed };

  // Takes what of `bytes` belongs to the header; `used` says how much. Requires: the result so far
  // was kNeedMore.
  Result Take(std::string_view bytes, size_t& used);

  // After kDone: the client as SocketAddress::ToString() writes it: "192.0.2.1:51724",
  // "[2001:db8::1]:51724", "unix:/path". Empty: the connection is the balancer's own (LOCAL, as
  // for a health check), or it doesn't say whose (UNKNOWN).
  const std::string& client() const { return client_; }
  // After kMalformed: what is wrong.
  std::string_view problem() const { return problem_; }

 private:
  Result Fail(std::string_view problem);
  // Bytes of the header that are certainly still to come.
  size_t Missing() const;
  Result CheckSoFar();
  Result ParseLine();
  Result CheckFixed();
  Result ParseBinary();
  Result CheckExtensions(size_t begin);

  std::string held_;
  size_t rest_bytes_ = 0;  // version 2, once the fixed bytes are there
  std::string client_;
  std::string_view problem_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_PROXY_HEADER_H_
