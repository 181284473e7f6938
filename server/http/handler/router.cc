#include "server/http/handler/router.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "http/message/path.h"
#include "server/http/handler/status.h"

namespace grove::http {
namespace {

std::string TextOf(const Router::Route& route) {
  const std::string_view method = route.method.empty() ? "any method of" : route.method;
  return std::string(method).append(" ").append(route.host).append(route.path);
}

// What a route of any method is told to take: the methods of RFC 9110, 9.3 and RFC 5789 without
// CONNECT and TRACE.
constexpr const char* kAnyMethods[] = {"DELETE", "GET", "PATCH", "POST", "PUT"};

void AddMethod(std::string_view method, std::set<std::string>& allow) {
  if (method.empty()) {
    for (const char* each : kAnyMethods) AddMethod(each, allow);
    return;
  }
  allow.emplace(method);
  if (method == "GET") allow.emplace("HEAD");
  allow.emplace("OPTIONS");  // answered for every path
}

// Mixes by a multiplication to 128 bits, whose halves are folded (as wyhash does).
inline uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

size_t Router::Hash::operator()(std::string_view text) const {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio
  uint64_t hash = kOdd ^ text.size();
  const char* p = text.data();
  size_t left = text.size();
  for (; left >= sizeof(uint64_t); p += sizeof(uint64_t), left -= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    hash = Mix(hash ^ word, kOdd);
  }
  uint64_t rest = 0;
  for (; left > 0; --left) rest = rest << 8 | static_cast<uint8_t>(p[left - 1]);
  return Mix(hash ^ rest, kOdd);
}

// One walk over the patterns of one or more sites.
class Router::Search {
 public:
  Search(std::string_view path, std::string_view method) : path_(path), method_(method) {}

  const Target* In(const Site& site) {
    if (const auto found = site.literals.find(path_); found != site.literals.end()) {
      if (const Target* target = Try(found->second); target != nullptr) return target;
    }
    return Walk(site.patterns, 0);
  }

  // What the parameters of the target matched, in canonical form.
  const std::vector<std::string_view>& values() const { return values_; }
  // Paths that match, but have other methods.
  const std::vector<const Endpoint*>& without_method() const { return without_method_; }
  std::string_view path() const { return path_; }

 private:
  const Target* Try(const Endpoint& endpoint) {
    const Target* target = endpoint.Find(method_);
    if (target == nullptr) without_method_.push_back(&endpoint);
    return target;
  }
  const Target* WalkWith(std::string_view value, const Node& node, size_t at) {
    values_.push_back(value);
    const Target* target = Walk(node, at);
    if (target == nullptr) values_.pop_back();
    return target;
  }
  // `at`: the slash before the next segment. Visits each node once at most; as deep as a pattern.
  const Target* Walk(const Node& node, size_t at) {
    if (at == path_.size()) return node.end ? Try(*node.end) : nullptr;
    const size_t end = std::min(path_.find('/', at + 1), path_.size());
    const std::string_view segment = path_.substr(at + 1, end - at - 1);
    if (const auto child = node.literals.find(segment); child != node.literals.end()) {
      if (const Target* target = Walk(*child->second, end); target != nullptr) return target;
    }
    if (node.name && !segment.empty()) {
      if (const Target* target = WalkWith(segment, *node.name, end); target != nullptr) {
        return target;
      }
    }
    if (!node.rest) return nullptr;
    values_.push_back(path_.substr(at + 1));
    const Target* target = Try(*node.rest);
    if (target == nullptr) values_.pop_back();
    return target;
  }

  const std::string_view path_;
  const std::string_view method_;
  std::vector<std::string_view> values_;
  std::vector<const Endpoint*> without_method_;
};

const Router::Target* Router::Endpoint::Find(std::string_view method) const {
  const Target* get = nullptr;
  const Target* any = nullptr;
  for (const Target& target : targets) {
    if (target.method == method) return &target;
    if (target.method == "GET") get = &target;
    if (target.method.empty()) any = &target;
  }
  // What is sent back word for word, credentials included, is for a route that names it (RFC 9110,
  // 9.3.8).
  if (method == "TRACE") return nullptr;
  return method == "HEAD" && get != nullptr ? get : any;
}

Router::Site& Router::SiteOf(const std::string& host) {
  if (host.empty()) return anywhere_;
  if (!host.starts_with("*.")) {
    std::unique_ptr<Site>& site = hosts_[host];
    if (!site) site = std::make_unique<Site>();
    return *site;
  }
  const std::string suffix = host.substr(1);
  const auto place = std::find_if(suffixes_.begin(), suffixes_.end(), [&](const auto& entry) {
    return entry.first == suffix || entry.first.size() < suffix.size();
  });
  if (place != suffixes_.end() && place->first == suffix) return *place->second;
  return *suffixes_.emplace(place, suffix, std::make_unique<Site>())->second;
}

absl::Status Router::Add(std::string_view method, std::string_view path, Handler handler) {
  return Add({.method = method, .host = {}, .path = path, .handler = std::move(handler)});
}

Router::Endpoint* Router::EndpointOf(const RoutePattern& pattern, Site& site) {
  if (pattern.literal()) return &site.literals[pattern.path];
  Node* node = &site.patterns;
  std::unique_ptr<Endpoint>* place = nullptr;
  for (const RoutePattern::Segment& segment : pattern.segments) {
    if (segment.kind == RoutePattern::Kind::kRest) {
      place = &node->rest;
      break;
    }
    std::unique_ptr<Node>& next =
        segment.kind == RoutePattern::Kind::kName ? node->name : node->literals[segment.text];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
    place = &node->end;
  }
  if (!*place) *place = std::make_unique<Endpoint>();
  return place->get();
}

absl::Status Router::Add(Route route) {
  absl::StatusOr<RoutePattern> pattern = RoutePattern::Parse(route.path);
  if (!pattern.ok()) return pattern.status();
  std::string host;
  if (!route.host.empty()) {
    absl::StatusOr<std::string> parsed = ParseHostPattern(route.host);
    if (!parsed.ok()) return parsed.status();
    host = *std::move(parsed);
  }
  Endpoint* const endpoint = EndpointOf(*pattern, SiteOf(host));
  const std::string text = TextOf(route);
  for (const Target& other : endpoint->targets) {
    if (other.method != route.method) continue;
    return absl::InvalidArgumentError(
        other.text == text ? absl::StrCat(text, " stands twice")
                           : absl::StrCat(text, " matches the same requests as ", other.text));
  }
  endpoint->targets.push_back({std::string(route.method), std::move(route.handler),
                               pattern->names(), pattern->ends_in_rest(), route.answers_preflight,
                               text, std::string(route.host).append(route.path)});
  AddMethod(route.method, methods_);
  ++routes_;
  return absl::OkStatus();
}

std::vector<const Router::Site*> Router::SitesOf(std::string_view host) const {
  std::vector<const Site*> sites;
  if (!hosts_.empty() || !suffixes_.empty()) {
    char buffer[256];
    const std::string_view plain = PlainHost(host, buffer);
    if (const auto exact = hosts_.find(plain); exact != hosts_.end()) {
      sites.push_back(exact->second.get());
    }
    for (const auto& [suffix, site] : suffixes_) {
      if (plain.size() > suffix.size() && plain.ends_with(suffix)) sites.push_back(site.get());
    }
  }
  sites.push_back(&anywhere_);
  return sites;
}

absl::Status Router::RouteRequest(Request& request, Response& response) const {
  if (hosts_.empty() && suffixes_.empty()) {
    // A literal that equals the path as sent has no escapes or dot segments: nothing to decode.
    const auto found = anywhere_.literals.find(request.path);
    if (found != anywhere_.literals.end()) {
      if (const Target* target = found->second.Find(request.method); target != nullptr) {
        request.context.route = target->pattern;
        request.context.route_path = request.path;
        return target->handler(request, response);
      }
    }
  }
  return RouteByPattern(request, response);
}

absl::Status Router::RouteByPattern(Request& request, Response& response) const {
  request.context.route_path = request.path;
  if (request.path == "*") return Answer(204, methods_, request, response);
  if (!request.path.starts_with('/')) return Answer(404, {}, request, response);
  if (!IsCanonicalPath(request.path)) {
    absl::StatusOr<std::string> canonical = CanonicalPath(request.path);
    if (!canonical.ok()) return Answer(400, {}, request, response);
    request.context.route_path = request.Keep(*std::move(canonical));
  }
  Search search(request.context.route_path, request.method);
  for (const Site* site : SitesOf(request.host)) {
    const Target* target = search.In(*site);
    if (target != nullptr) return Run(*target, search, request, response);
  }
  return AnswerUnmatched(search, request, response);
}

absl::Status Router::Run(const Target& target, const Search& search, Request& request,
                         Response& response) const {
  request.context.route = target.pattern;
  for (size_t i = 0; i < target.names.size(); ++i) {
    std::string_view value = search.values()[i];
    if (value.find('%') != std::string_view::npos) {
      const bool rest = target.rest && i + 1 == target.names.size();
      value = request.Keep(rest ? DecodeSegments(value) : DecodeSegment(value));
    }
    request.AddParam(target.names[i], value);
  }
  return target.handler(request, response);
}

absl::Status Router::AnswerUnmatched(const Search& search, Request& request,
                                     Response& response) const {
  if (search.without_method().empty()) return Answer(404, {}, request, response);
  if (request.method == "OPTIONS" && request.Get("origin").has_value()) {
    const auto wanted = request.Get("access-control-request-method");
    Search again(request.context.route_path, wanted.value_or(""));
    for (const Site* site : SitesOf(request.host)) {
      const Target* target = wanted.has_value() ? again.In(*site) : nullptr;
      if (target == nullptr) continue;
      if (!target->answers_preflight) break;
      return Run(*target, again, request, response);
    }
  }
  std::set<std::string> allow;
  for (const Endpoint* endpoint : search.without_method()) {
    for (const Target& target : endpoint->targets) AddMethod(target.method, allow);
  }
  return Answer(request.method == "OPTIONS" ? 204 : 405, allow, request, response);
}

absl::Status Router::Answer(int status, const std::set<std::string>& allow, Request& request,
                            Response& response) const {
  const Handler answer = [&](Request&, Response& out) {
    if (!allow.empty()) out.Add("Allow", absl::StrJoin(allow, ", "));
    // As for every request that is refused for its form.
    if (status == 400) out.Add("Connection", "close");
    if (status == 204) return out.Send(204, "", "");
    return out.Send(status, "text/plain", std::string(ReasonPhrase(status)).append("\r\n"));
  };
  return wrap_ ? wrap_(request, response, answer) : answer(request, response);
}

}  // namespace grove::http
