#include "server/access_log/access_value.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace grove::access_log {
namespace {

using Line = AccessLine;

// nginx' number for a request whose client left before it was answered.
constexpr uint64_t kClientGone = 499;

// "51724" of "127.0.0.1:51724"; a UNIX socket has none.
std::string_view PortOf(std::string_view peer) {
  if (peer.starts_with("unix:")) return {};
  const size_t colon = peer.rfind(':');
  return colon == std::string_view::npos ? std::string_view() : peer.substr(colon + 1);
}

std::string_view HeaderOf(const Line& line, std::string_view name) {
  return line.entry.request.Get(name).value_or(std::string_view());
}

std::string_view Protocol(const Line& line) {
  const std::string_view refused = line.entry.refused_line;
  if (refused.empty()) return line.entry.request.version_minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
  const size_t at = refused.rfind(" HTTP/");
  return at == std::string_view::npos ? std::string_view() : refused.substr(at + 1);
}

std::string_view RequestLine(const Line& line) {
  if (!line.entry.refused_line.empty()) return line.entry.refused_line;
  line.scratch.assign(line.entry.request.method).append(" ");
  line.scratch.append(line.entry.request.target).append(" ").append(Protocol(line));
  return line.scratch;
}

// As eventlet and Apache write it, without Apache's zone: "21/Nov/2026 04:42:53", local time.
std::string_view DateTime(const Line& line) {
  line.scratch = absl::FormatTime("%d/%b/%Y %H:%M:%S", line.now, absl::LocalTimeZone());
  return line.scratch;
}

// RFC 3339, UTC.
std::string_view Time(const Line& line) {
  line.scratch = absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", line.now, absl::UTCTimeZone());
  return line.scratch;
}

constexpr AccessValueKind kText = AccessValueKind::kText;
constexpr AccessValueKind kWhole = AccessValueKind::kWhole;

constexpr AccessKey kKeys[] = {
    {"time", kText, [](const Line& line) -> AccessValue { return Time(line); }},
    {"date_time", kText, [](const Line& line) -> AccessValue { return DateTime(line); }},
    {"client_ip", kText,
     [](const Line& line) -> AccessValue {
       // Eventlet's word for a UNIX socket's client.
       const std::string_view client = line.entry.request.context.client;
       return client.starts_with("unix:") ? std::string_view("unix") : client;
     }},
    {"client_port", kText,
     [](const Line& line) -> AccessValue { return PortOf(line.entry.request.peer); }},
    {"peer", kText, [](const Line& line) -> AccessValue { return line.entry.request.peer; }},
    {"client_subject", kText,
     [](const Line& line) -> AccessValue {
       const TlsCertificate* certificate = line.entry.request.client_certificate;
       return certificate == nullptr ? std::string_view() : certificate->subject;
     }},
    {"client_fingerprint", kText,
     [](const Line& line) -> AccessValue {
       const TlsCertificate* certificate = line.entry.request.client_certificate;
       return certificate == nullptr ? std::string_view() : certificate->fingerprint;
     }},
    {"scheme", kText,
     [](const Line& line) -> AccessValue { return line.entry.request.context.scheme; }},
    {"request_line", kText, [](const Line& line) -> AccessValue { return RequestLine(line); }},
    {"method", kText, [](const Line& line) -> AccessValue { return line.entry.request.method; }},
    {"path", kText, [](const Line& line) -> AccessValue { return line.entry.request.path; }},
    {"query", kText, [](const Line& line) -> AccessValue { return line.entry.request.query; }},
    {"protocol", kText, [](const Line& line) -> AccessValue { return Protocol(line); }},
    {"host", kText, [](const Line& line) -> AccessValue { return line.entry.request.host; }},
    {"route", kText,
     [](const Line& line) -> AccessValue { return line.entry.request.context.route; }},
    {"referer", kText, [](const Line& line) -> AccessValue { return HeaderOf(line, "referer"); }},
    {"user_agent", kText,
     [](const Line& line) -> AccessValue { return HeaderOf(line, "user-agent"); }},
    {"request_id", kText,
     [](const Line& line) -> AccessValue { return line.entry.request.context.id; }},
    {"trace_id", kText,
     [](const Line& line) -> AccessValue { return line.entry.request.context.trace_id; }},
    {"tenant", kText,
     [](const Line& line) -> AccessValue { return line.entry.request.context.tenant; }},
    {"token", kText,
     [](const Line& line) -> AccessValue { return line.entry.request.context.token; }},
    {"status_code", kWhole,
     [](const Line& line) -> AccessValue {
       return line.entry.status == 0 ? kClientGone : static_cast<uint64_t>(line.entry.status);
     }},
    {"complete", AccessValueKind::kFlag,
     [](const Line& line) -> AccessValue { return line.entry.complete; }},
    {"body_length", kWhole, [](const Line& line) -> AccessValue { return line.entry.body_bytes; }},
    {"request_bytes", kWhole,
     [](const Line& line) -> AccessValue { return line.entry.request_bytes; }},
    {"response_bytes", kWhole,
     [](const Line& line) -> AccessValue { return line.entry.response_bytes; }},
    {"wall_seconds", AccessValueKind::kSeconds,
     [](const Line& line) -> AccessValue { return absl::ToDoubleSeconds(line.entry.wall); }},
};

}  // namespace

absl::Span<const AccessKey> AccessKeys() {
  return kKeys;
}

const AccessKey* FindAccessKey(std::string_view name) {
  const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys),
                                   [&](const AccessKey& key) { return key.name == name; });
  return found == std::end(kKeys) ? nullptr : found;
}

}  // namespace grove::access_log
