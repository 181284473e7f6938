#include "server/functions/fetch_transfer.h"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove::functions {
namespace {

constexpr size_t kShownUrlMaxBytes = 200;

struct CurlUrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

// RFC 9110, 5.6.2.
bool IsToken(std::string_view text) {
  const auto token = [](unsigned char c) {
    return absl::ascii_isalnum(c) ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string::npos;
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), token);
}

bool IsFieldValue(std::string_view text) {
  const auto allowed = [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); };
  return std::all_of(text.begin(), text.end(), allowed);
}

// Fields that frame the message or name the connection: libcurl's to set.
bool IsReserved(const std::string& name) {
  for (const char* reserved : {"host", "content-length", "transfer-encoding", "connection", "te",
                               "expect", "trailer", "upgrade", "proxy-connection"}) {
    if (absl::EqualsIgnoreCase(name, reserved)) return true;
  }
  return false;
}

absl::Status CheckField(const std::string& name, const std::string& value) {
  if (!IsToken(name)) {
    return absl::InvalidArgumentError(
        StrCat("headers: \"", absl::CHexEscape(name), "\" is not a field name"));
  }
  if (IsReserved(name)) {
    return absl::InvalidArgumentError(
        StrCat("headers: ", name, " is set by the client itself; leave it out"));
  }
  if (!IsFieldValue(value)) {
    return absl::InvalidArgumentError(
        StrCat("headers: the value of ", name, " has control characters"));
  }
  return absl::OkStatus();
}

FetchLimits Tighter(const FetchLimits& policy, const FetchLimits& request) {
  return {std::min(policy.timeout, request.timeout),
          std::min(policy.body_max_bytes, request.body_max_bytes),
          std::max(0, std::min(policy.redirects_max, request.redirects_max))};
}

}  // namespace

FetchTransfer::FetchTransfer(const FetchPolicy& policy, const FetchRequest& request)
    : policy_(policy),
      request_(request),
      limits_(Tighter(policy.limits, request.limits)),
      easy_(curl_easy_init()) {}

FetchTransfer::~FetchTransfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
}

absl::StatusOr<std::unique_ptr<FetchTransfer>> FetchTransfer::Create(const FetchPolicy& policy,
                                                                     const FetchRequest& request) {
  std::unique_ptr<FetchTransfer> transfer(new FetchTransfer(policy, request));
  if (transfer->easy_ == nullptr) return absl::ResourceExhaustedError("fetch: out of memory");
  if (absl::Status set = transfer->SetUrl(); !set.ok()) return set;
  if (absl::Status set = transfer->SetHeaders(); !set.ok()) return set;
  if (absl::Status set = transfer->SetOptions(); !set.ok()) return set;
  return transfer;
}

FetchTransfer& FetchTransfer::Of(CURL* easy) {
  char* self = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &self);
  return *reinterpret_cast<FetchTransfer*>(self);
}

absl::Status FetchTransfer::SetUrl() {
  if (request_.url.size() > kFetchUrlMaxBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("url: %d bytes are more than the %d allowed",
                                                      request_.url.size(), kFetchUrlMaxBytes));
  }
  const std::unique_ptr<CURLU, CurlUrlDeleter> url(curl_url());
  const CURLUcode parsed = request_.url.find('\0') != std::string::npos
                               ? CURLUE_MALFORMED_INPUT
                               : curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), 0);
  const std::string scheme = UrlPart(url.get(), CURLUPART_SCHEME);
  if (parsed != CURLUE_OK || (scheme != "http" && scheme != "https")) {
    return absl::InvalidArgumentError(
        absl::StrFormat("url: \"%s\" is not an absolute http or https URL",
                        absl::CHexEscape(request_.url.substr(0, kShownUrlMaxBytes))));
  }
  curl_easy_setopt(easy_, CURLOPT_URL, request_.url.c_str());
  curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
  shown_url_ = UrlPart(url.get(), CURLUPART_URL).substr(0, kShownUrlMaxBytes);
  return absl::OkStatus();
}

absl::Status FetchTransfer::SetHeaders() {
  size_t bytes = 0;
  // "Name:" takes away what libcurl would send of its own accord.
  std::vector<std::string> lines = {"Expect:"};
  bool content_type = false;
  for (const auto& [name, value] : request_.headers) {
    if (absl::Status checked = CheckField(name, value); !checked.ok()) return checked;
    bytes += name.size() + value.size();
    content_type = content_type || absl::EqualsIgnoreCase(name, "content-type");
    lines.push_back(value.empty() ? StrCat(name, ";") : StrCat(name, ": ", value));
  }
  if (request_.headers.size() > kFetchRequestHeadersMax || bytes > kFetchRequestHeadersMaxBytes) {
    return absl::InvalidArgumentError(absl::StrFormat("headers: more than %d fields or %d bytes",
                                                      kFetchRequestHeadersMax,
                                                      kFetchRequestHeadersMaxBytes));
  }
  if (request_.method == FetchMethod::kPost && !content_type) {
    lines.push_back("Content-Type: application/octet-stream");
  }
  for (const std::string& line : lines) {
    curl_slist* const longer = curl_slist_append(headers_, line.c_str());
    if (longer == nullptr) return absl::ResourceExhaustedError("fetch: out of memory");
    headers_ = longer;
  }
  return absl::OkStatus();
}

void FetchTransfer::SetMethod() {
  switch (request_.method) {
    case FetchMethod::kGet:
      curl_easy_setopt(easy_, CURLOPT_HTTPGET, 1L);
      return;
    case FetchMethod::kHead:
      curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
      return;
    case FetchMethod::kPost:
      curl_easy_setopt(easy_, CURLOPT_POST, 1L);
      curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.c_str());
      curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request_.body.size()));
      return;
  }
}

absl::Status FetchTransfer::SetOptions() {
  if (request_.method != FetchMethod::kPost && !request_.body.empty()) {
    return absl::InvalidArgumentError("body: only POST carries one");
  }
  SetMethod();
  curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // Giving up while a name is resolved must not wait for the resolver's thread.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(easy_, CURLOPT_MAXREDIRS, static_cast<long>(limits_.redirects_max));
  curl_easy_setopt(easy_, CURLOPT_PROXY, "");  // and none from the environment
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, "grove");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  // The server chooses, and larger ones would cost the hub up to 0.1 s for a handshake, as does
  // Diffie-Hellman over large fields in TLS 1.2.
  curl_easy_setopt(easy_, CURLOPT_SSL_EC_CURVES, "X25519:P-256:P-384");
  curl_easy_setopt(easy_, CURLOPT_SSL_CIPHER_LIST, "DEFAULT:!kDHE");
  // The time-out is the driver's, by the hub's clock. libcurl's own for connecting stays at its 300
  // s: one of the same length would race it, and end a fetch on a busy machine with other words.
  curl_easy_setopt(easy_, CURLOPT_RESOLVER_START_FUNCTION, &OnResolverStart);
  curl_easy_setopt(easy_, CURLOPT_RESOLVER_START_DATA, this);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  // Sees the bodies of redirects too, which never reach OnBody.
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy_, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(easy_, CURLOPT_XFERINFODATA, this);
  return absl::OkStatus();
}

void FetchTransfer::Refuse(absl::Status why) {
  if (refusal_.ok()) refusal_ = std::move(why);
}

absl::Status FetchTransfer::BodyTooLarge() const {
  return absl::ResourceExhaustedError(
      absl::StrFormat("the body is larger than the %d bytes allowed (fetch.body_max_bytes)",
                      limits_.body_max_bytes));
}

bool FetchTransfer::AddHeaderLine(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kFetchResponseHeadersMaxBytes) {
    Refuse(absl::ResourceExhaustedError(absl::StrFormat(
        "the response headers are larger than %d bytes", kFetchResponseHeadersMaxBytes)));
    return false;
  }
  if (line.starts_with("HTTP/")) {  // an interim response, a redirect, or the last one
    result_.headers.clear();
    return true;
  }
  const size_t colon = line.find(':');
  // No field: the empty line at the end. After the body: trailers, which nobody asked for.
  if (colon == std::string_view::npos || !result_.body.empty()) return true;
  const std::string_view value(line.data() + colon + 1, line.size() - colon - 1);
  result_.headers.emplace_back(line.substr(0, colon),
                               std::string(absl::StripAsciiWhitespace(Abseil(value))));
  return true;
}

bool FetchTransfer::AddBody(std::string_view bytes) {
  if (bytes.size() > limits_.body_max_bytes - result_.body.size()) {
    Refuse(BodyTooLarge());
    return false;
  }
  result_.body.append(bytes);
  return true;
}

size_t FetchTransfer::OnHeader(char* bytes, size_t size, size_t count, void* self) {
  const std::string_view line(bytes, size * count);
  return static_cast<FetchTransfer*>(self)->AddHeaderLine(line) ? line.size() : 0;
}

size_t FetchTransfer::OnBody(char* bytes, size_t size, size_t count, void* self) {
  const std::string_view piece(bytes, size * count);
  // Any other count than the one given ends the transfer.
  return static_cast<FetchTransfer*>(self)->AddBody(piece) ? piece.size() : piece.size() + 1;
}

int FetchTransfer::OnProgress(void* self, curl_off_t total, curl_off_t now, curl_off_t,
                              curl_off_t) {
  auto& transfer = *static_cast<FetchTransfer*>(self);
  const auto most = static_cast<uint64_t>(std::max(total, now));
  const bool head = transfer.request_.method == FetchMethod::kHead;
  if (head || most <= transfer.limits_.body_max_bytes) return 0;
  transfer.Refuse(transfer.BodyTooLarge());
  return 1;
}

// Not for what libcurl remembers.
int FetchTransfer::OnResolverStart(void*, void*, void* self) {
  static_cast<FetchTransfer*>(self)->asked_resolver_ = true;
  return 0;
}

curl_socket_t FetchTransfer::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<FetchTransfer*>(self);
  if (absl::Status allowed = transfer.policy_.Check(&address->addr); !allowed.ok()) {
    transfer.address_refusal_ = std::move(allowed);
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                address->protocol);
}

void FetchTransfer::Complete(CURLcode code) {
  code_ = code;
  done_.Set();
}

void FetchTransfer::CountLookup(FetchStats& stats) const {
  const bool failed = code_ == CURLE_COULDNT_RESOLVE_HOST;
  long connects = 0;
  curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &connects);
  if (connects == 0 && !failed) return;  // over an open connection, or cut short before
  ++stats.lookups;
  ++(asked_resolver_ ? stats.cache_misses : stats.cache_hits);
  if (failed) ++stats.lookup_failures;
  curl_off_t micros = 0;
  curl_easy_getinfo(easy_, CURLINFO_NAMELOOKUP_TIME_T, &micros);
  stats.lookup_micros += static_cast<uint64_t>(micros);
}

absl::Status FetchTransfer::Failure() const {
  if (!refusal_.ok()) return refusal_;
  const std::string text = error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code_);
  switch (code_) {
    case CURLE_COULDNT_CONNECT:
      return address_refusal_.ok() ? absl::UnavailableError(text) : address_refusal_;
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::PermissionDeniedError("a redirect leads to another scheme than http or https");
    case CURLE_TOO_MANY_REDIRECTS:
      return absl::FailedPreconditionError(
          absl::StrFormat("more than %d redirects (fetch.redirects_max)", limits_.redirects_max));
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return absl::FailedPreconditionError(text);
    case CURLE_URL_MALFORMAT:
      return absl::FailedPreconditionError(StrCat("a redirect is malformed: ", text));
    case CURLE_OUT_OF_MEMORY:
      return absl::ResourceExhaustedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::Status FetchTransfer::Annotate(const absl::Status& status) const {
  return absl::Status(status.code(), StrCat("fetch ", shown_url_, ": ", status.message()));
}

absl::StatusOr<FetchResult> FetchTransfer::TakeResult() {
  if (code_ != CURLE_OK) return Annotate(Failure());
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  result_.status = static_cast<int>(status);
  char* url = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_EFFECTIVE_URL, &url);
  if (url != nullptr) result_.effective_url = url;
  return std::move(result_);
}

}  // namespace grove::functions
