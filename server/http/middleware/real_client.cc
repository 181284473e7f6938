#include "server/http/middleware/real_client.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "http/message/scan.h"

namespace grove::http {
namespace {

// The address of "1.2.3.4", "1.2.3.4:80", "::1" or "[::1]:80"; empty if it is none. "unix:" is what
// nginx calls whoever came over a UNIX socket. One form for each host, since limits count and logs
// group by it: "::ffff:1.2.3.4" is 1.2.3.4.
std::string AddressOfNode(std::string_view node) {
  if (node == "unix:") return std::string(node);
  std::string_view address = node;
  if (node.starts_with('[')) {
    const size_t close = node.find(']');
    if (close == std::string_view::npos) return {};
    address = node.substr(1, close - 1);
    const std::string_view rest = node.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return {};
  } else if (std::count(node.begin(), node.end(), ':') == 1) {
    address = node.substr(0, node.find(':'));
  }
  const std::optional<IpAddress> parsed = IpAddress::Parse(address);
  return parsed.has_value() ? parsed->Unmapped().ToString() : std::string();
}

bool IsScheme(std::string_view text) {
  return EqualsIgnoreCase(text, "http") || EqualsIgnoreCase(text, "https");
}

std::string LowerScheme(std::string_view text) {
  return text.size() == 5 ? "https" : "http";
}

// Reads forwarded-elements: forwarded-pair = token "=" ( token / quoted-string ), separated by ';',
// elements by ','. An element without pairs is none (RFC 9110, 5.6.1.2).
class ForwardedReader {
 public:
  explicit ForwardedReader(std::string_view text) : text_(text) {}

  // False: malformed.
  bool Read(std::vector<Hop>& hops) {
    Hop hop;
    bool empty = true;
    while (true) {
      SkipBlanks();
      if (at_ < text_.size() && text_[at_] != ';' && text_[at_] != ',') {
        if (!ReadPair(hop)) return false;
        empty = false;
      }
      SkipBlanks();
      if (at_ == text_.size() || text_[at_] == ',') {
        if (!std::exchange(empty, true)) hops.push_back(std::exchange(hop, {}));
      }
      if (at_ == text_.size()) return true;
      if (text_[at_] != ',' && text_[at_] != ';') return false;
      ++at_;
    }
  }

 private:
  void SkipBlanks() {
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
  }
  std::string_view ReadToken() {
    const char* const begin = text_.data() + at_;
    const char* const end = SkipToken(begin, text_.data() + text_.size());
    at_ += end - begin;
    return {begin, static_cast<size_t>(end - begin)};
  }
  std::optional<std::string> ReadQuoted() {
    std::string value;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return value;
      }
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      value.push_back(text_[at_]);
    }
    return std::nullopt;
  }
  bool ReadPair(Hop& hop) {
    const std::string_view name = ReadToken();
    if (name.empty() || at_ == text_.size() || text_[at_++] != '=') return false;
    std::optional<std::string> value;
    if (at_ < text_.size() && text_[at_] == '"') {
      value = ReadQuoted();
    } else {
      // Leniently with the ':' and brackets that many proxies leave unquoted.
      const size_t begin = at_;
      while (at_ < text_.size() && text_.find_first_of(";, \t\"", at_) != at_) ++at_;
      if (at_ > begin) value = std::string(text_.substr(begin, at_ - begin));
    }
    if (!value.has_value()) return false;
    if (EqualsIgnoreCase(name, "for")) hop.address = AddressOfNode(*value);
    if (EqualsIgnoreCase(name, "proto") && IsScheme(*value)) hop.scheme = LowerScheme(*value);
    return true;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

// All fields of that name as one list (RFC 9110, 5.3).
std::string Joined(const Request& request, std::string_view name) {
  std::string all;
  for (const Field& field : request.fields) {
    if (!EqualsIgnoreCase(field.name, name)) continue;
    if (!all.empty()) all += ", ";
    all += field.value;
  }
  return all;
}

// Takes the last element off a list, without the blanks around it; empty ones are none (RFC 9110,
// 5.6.1.2). Empty at the end of the list.
std::string_view TakeLast(std::string_view& list) {
  std::string_view last;
  while (last.empty() && !list.empty()) {
    const size_t comma = list.rfind(',');
    last = TrimBlanks(comma == list.npos ? list : list.substr(comma + 1));
    list = comma == list.npos ? std::string_view() : list.substr(0, comma);
  }
  return last;
}

// X-Forwarded-Proto says what the nearest proxy was asked by.
std::string ForwardedScheme(const Request& request) {
  const std::string all = Joined(request, "x-forwarded-proto");
  std::string_view list = all;
  const std::string_view last = TakeLast(list);
  return IsScheme(last) ? LowerScheme(last) : "";
}

}  // namespace

std::vector<Hop> ParseXForwardedFor(std::string_view value) {
  std::vector<Hop> hops;
  while (hops.size() < kHopsMax) {
    const std::string_view last = TakeLast(value);
    if (last.empty()) break;
    hops.push_back({AddressOfNode(last), ""});
  }
  return hops;
}

std::vector<Hop> ParseForwarded(std::string_view value) {
  std::vector<Hop> hops;
  if (value.empty() || !ForwardedReader(value).Read(hops)) return {};
  std::reverse(hops.begin(), hops.end());
  if (hops.size() > kHopsMax) hops.resize(kHopsMax);
  return hops;
}

Hop FindClient(std::string_view peer, std::span<const Hop> hops, const TrustedAddresses& trusted) {
  Hop client{std::string(peer), ""};
  for (const Hop& hop : hops) {
    if (hop.address.empty() || !trusted.Contains(client.address)) break;
    client = hop;
  }
  return client;
}

Hop ResolveClient(const RealClientOptions& options, const Request& request) {
  const std::string_view peer = request.context.client;
  if (!options.trusted.Contains(peer)) return {std::string(peer), ""};
  const bool forwarded = options.source == RealClientOptions::Source::kForwarded;
  const std::vector<Hop> hops = forwarded ? ParseForwarded(Joined(request, "forwarded"))
                                          : ParseXForwardedFor(Joined(request, "x-forwarded-for"));
  Hop client = FindClient(peer, hops, options.trusted);
  if (!forwarded) client.scheme = ForwardedScheme(request);
  return client;
}

Middleware RealClient(RealClientOptions options) {
  // Shared, since a std::function must be copyable.
  const auto shared = std::make_shared<const RealClientOptions>(std::move(options));
  return [shared](Request& request, Response& response, const Handler& next) {
    Hop client = ResolveClient(*shared, request);
    if (client.address != request.context.client)
      request.context.client = request.Keep(std::move(client.address));
    if (!client.scheme.empty())
      request.context.scheme = client.scheme == "https" ? "https" : "http";
    return next(request, response);
  };
}

}  // namespace grove::http
