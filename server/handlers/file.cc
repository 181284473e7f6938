#include "server/handlers/file.h"

#include <algorithm>
#include <ctime>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_format.h"
#include "http/message/conditions.h"
#include "http/message/http_date.h"
#include "http/message/path.h"
#include "runtime/switch/abseil_text.h"
#include "server/handlers/media_type.h"
#include "server/handlers/query_input.h"
#include "server/http/handler/status.h"

namespace grove::handlers {
namespace {

constexpr char kIndex[] = "index.html";
constexpr char kText[] = "text/plain";

absl::Status Answer(http::Response& response, int status) {
  return response.Send(status, kText, StrCat(std::string(http::ReasonPhrase(status)), "\r\n"));
}

bool MayBeServed(std::string_view name, std::string_view before) {
  if (name.empty() || name.find('/') != name.npos || name.find('\0') != name.npos) return false;
  return name[0] != '.' || (name == ".well-known" && before.empty());
}

// Changes with the content as far as the file system tells: its name's inode, size and time.
std::string ETagOf(const struct stat& about) {
  return absl::StrFormat("\"%x-%x-%x%08x\"", about.st_ino, about.st_size, about.st_mtim.tv_sec,
                         about.st_mtim.tv_nsec);
}

// The value of the one Range field; a repeated one is malformed, and ignored.
std::optional<std::string_view> RangeOf(const http::Request& request) {
  std::optional<std::string_view> range;
  for (const http::Field& field : request.fields) {
    if (!http::EqualsIgnoreCase(field.name, "range")) continue;
    if (range.has_value()) return std::nullopt;
    range = field.value;
  }
  return range;
}

// RFC 9110, 14.6.
absl::Status SendParts(const OpenedFile& file, std::string_view type,
                       const std::vector<http::ByteRange>& ranges, http::Response& response) {
  absl::BitGen random;
  const std::string boundary = absl::StrFormat("%016x%016x", absl::Uniform<uint64_t>(random),
                                               absl::Uniform<uint64_t>(random));
  const uint64_t size = static_cast<uint64_t>(file.about().st_size);
  std::vector<std::string> heads;
  const std::string end = StrCat("\r\n--", boundary, "--\r\n");
  uint64_t length = end.size();
  for (const http::ByteRange& range : ranges) {
    heads.push_back(absl::StrFormat("%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
                                    heads.empty() ? "" : "\r\n", boundary, type,
                                    http::ContentRange(range, size)));
    length += heads.back().size() + range.length;
  }
  response.set_status(206);
  response.Add("Content-Type", "multipart/byteranges; boundary=" + boundary);
  response.Add("Content-Length", std::to_string(length));
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (absl::Status sent = response.Write(heads[i]); !sent.ok()) return sent;
    absl::Status sent = response.WriteFile(file.fd(), ranges[i].first, ranges[i].length);
    if (!sent.ok()) return sent;
  }
  if (absl::Status sent = response.Write(end); !sent.ok()) return sent;
  return response.Finish();
}

absl::Status SendRanges(const OpenedFile& file, std::string_view type,
                        const http::RangeRequest& wanted, http::Response& response) {
  const uint64_t size = static_cast<uint64_t>(file.about().st_size);
  if (wanted.kind == http::RangeRequest::Kind::kUnsatisfiable) {
    response.Add("Content-Range", http::UnsatisfiedContentRange(size));
    return Answer(response, 416);
  }
  if (wanted.ranges.size() > 1) return SendParts(file, type, wanted.ranges, response);
  const http::ByteRange& range = wanted.ranges.front();
  response.Add("Content-Range", http::ContentRange(range, size));
  return response.SendFile(206, type, file.fd(), range.first, range.length);
}

// Nothing of the file is read for a HEAD, whatever stands between here and the client.
absl::Status SendHead(const OpenedFile& file, std::string_view type, http::Response& response) {
  response.Add("Content-Type", type);
  response.Add("Content-Length", std::to_string(file.about().st_size));
  return response.Finish();
}

std::string_view BaseOf(std::string_view route_path) {
  const std::string_view literal = route_path.substr(0, route_path.find_first_of("*{"));
  return literal.substr(0, literal.rfind('/') + 1);
}

absl::Status Redirect(const http::Request& request, http::Response& response) {
  // In canonical form and encoded: browsers take "/\name" for "//name".
  std::string location = http::EncodePath(request.context.route_path);
  // "//name" would lead to another host (RFC 3986, 4.2).
  location.erase(0, std::min(location.find_first_not_of('/'), location.size()) - 1);
  location.push_back('/');
  if (!request.query.empty()) location.append("?").append(http::EncodeQuery(request.query));
  response.Add("Location", location);
  return Answer(response, 301);
}

}  // namespace

absl::StatusOr<std::string> FileNameOf(std::string_view path, std::string_view base) {
  if (!path.starts_with(base)) return absl::NotFoundError("outside the route");
  path.remove_prefix(base.size());
  std::string name;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::optional<std::string> part = PercentDecode(path.substr(0, slash));
    if (!part) return absl::InvalidArgumentError("'%' without two hexadecimal digits in the path");
    if (!MayBeServed(*part, name)) return absl::NotFoundError("not to be served");
    name += *part;
    if (slash == path.size()) break;
    name += '/';
    path.remove_prefix(slash + 1);
  }
  return name;
}

FileHandler::FileHandler(std::string_view route_path, std::string folder, OffloadPool& offload,
                         Folder::Lookup lookup)
    : base_(BaseOf(route_path)), folder_(std::move(folder), offload, lookup) {}

absl::Status FileHandler::Serve(http::Request& request, http::Response& response) const {
  if (request.method != "GET" && request.method != "HEAD") {
    response.Add("Allow", "GET, HEAD");
    return Answer(response, 405);
  }
  // The router's form has the dot segments resolved, and its escapes decoded but for those that
  // would be taken for something else.
  absl::StatusOr<std::string> name = FileNameOf(
      request.context.route_path.empty() ? request.path : request.context.route_path, base_);
  if (absl::IsNotFound(name.status())) return Answer(response, 404);
  if (!name.ok()) return name.status();
  if (name->empty() || name->ends_with('/')) name->append(kIndex);
  const absl::StatusOr<OpenedFile> file = folder_.Open(*name);
  // A client learns that there is nothing for it; not what, why, or where.
  if (absl::IsNotFound(file.status())) return Answer(response, 404);
  if (absl::IsPermissionDenied(file.status())) return Answer(response, 403);
  if (!file.ok()) return file.status();
  if (file->directory() && !request.path.ends_with('/')) return Redirect(request, response);
  if (!file->regular()) return Answer(response, 404);
  return SendOpened(*file, *name, request, response);
}

absl::Status FileHandler::SendOpened(const OpenedFile& file, std::string_view name,
                                     http::Request& request, http::Response& response) const {
  const std::time_t now = std::time(nullptr);
  const std::string etag = ETagOf(file.about());
  // Never later than Date (RFC 9110, 8.8.2.1).
  const http::Validators current{.etag = etag,
                                 .last_modified = std::min(file.about().st_mtim.tv_sec, now)};
  response.Add("ETag", etag);
  response.Add("Last-Modified", http::FormatHttpDate(current.last_modified));
  response.Add("Accept-Ranges", "bytes");
  const http::Verdict verdict = http::JudgeConditions(request.fields, current, now);
  const std::string_view type = MediaTypeOf(name);
  const uint64_t size = static_cast<uint64_t>(file.about().st_size);
  if (verdict == http::Verdict::kNotModified) return response.SendNotModified(type, size);
  if (verdict == http::Verdict::kFailed) return Answer(response, 412);
  if (request.method == "HEAD") return SendHead(file, type, response);
  if (const auto range = RangeOf(request);
      range && http::RangeStands(request.fields, current, now)) {
    const http::RangeRequest wanted = http::ParseRange(*range, size);
    if (wanted.kind != http::RangeRequest::Kind::kWhole) {
      return SendRanges(file, type, wanted, response);
    }
  }
  return response.SendFile(200, type, file.fd(), 0, size);
}

}  // namespace grove::handlers
