// FetchClient: HTTP and HTTPS requests of built-in functions and of tenants' code.
//
// An HttpClient that is bounded by a policy: which addresses are reached, how much an answer may
// be, how long it may take, and how many run at once. Every address is checked when it is connected
// to, so neither DNS nor redirects lead around the policy. No proxies, cookies or other schemes;
// certificates are verified.
// Hub thread only; it outlives the runs of the hub it is used on.
#ifndef GROVE_SERVER_FUNCTIONS_FETCH_H_
#define GROVE_SERVER_FUNCTIONS_FETCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "http/client/http_client.h"
#include "runtime/sync/semaphore.h"
#include "server/functions/fetch_policy.h"
#include "server/functions/fetch_stats.h"
#include "server/functions/fetch_turns.h"
#include "server/functions/origin_gate.h"

namespace grove::functions {

using FetchFields = http::HttpFields;

enum class FetchMethod { kGet, kHead, kPost, kPut, kPatch, kDelete, kOptions };

struct FetchRequest {
  std::string url;  // absolute, http or https
  FetchMethod method = FetchMethod::kGet;
  FetchFields headers;
  std::string body;  // kPost, kPut, kPatch, kDelete
  // Each counts as far as it is tighter than the policy's.
  FetchLimits limits = {absl::InfiniteDuration(), SIZE_MAX, INT32_MAX};
  // As of http::HttpRequest.
  std::function<absl::Status(const http::Url& next)> on_redirect = nullptr;
  // It has its turn: from here on what fails is not for want of one.
  std::function<void()> on_begin = nullptr;
};

struct FetchResult {
  int status = 0;
  std::string effective_url;  // after redirects
  FetchFields headers;        // of the last response, in order, as sent
  std::string body;
};

inline constexpr size_t kFetchUrlMaxBytes = 8192;
inline constexpr size_t kFetchRequestHeadersMax = 64;
inline constexpr size_t kFetchRequestHeadersMaxBytes = 16 * 1024;

class FetchClient {
 public:
  // `connect`: http::DialerOptions; then the policy's addresses are not asked about.
  static absl::StatusOr<std::unique_ptr<FetchClient>> Create(FetchPolicy policy,
                                                             http::HttpConnect connect = nullptr);
  // Requires: no Fetch under way.
  ~FetchClient();
  FetchClient(const FetchClient&) = delete;
  FetchClient& operator=(const FetchClient&) = delete;

  // Any HTTP status is a result; an error means that no whole response was had:
  // kInvalidArgument: the request is malformed; kPermissionDenied: an address or scheme that the
  // policy refuses; kResourceExhausted: a limit on the response; kFailedPrecondition: too many
  // redirects or an untrusted certificate; kUnavailable: the network or the server failed;
  // kDeadlineExceeded, kCancelled. The transfer has ended when it returns. **Parks.**
  absl::StatusOr<FetchResult> Fetch(const FetchRequest& request);

  // Each fetch waits for its turn from now on; `turns` must outlive the client's fetches.
  void set_turns(FetchTurns& turns) { turns_ = &turns; }
  // Whoever asks an origin by its bounds asks it; fetches do not. It must outlive them. Null: there
  // are no bounds.
  void set_origins(OriginGate& origins) { origins_ = &origins; }
  OriginGate* origins() const { return origins_; }

  FetchStats stats() const;
  const FetchPolicy& policy() const { return policy_; }

 private:
  FetchClient(FetchPolicy policy, std::unique_ptr<http::HttpClient> client);
  absl::StatusOr<FetchResult> InTurn(const FetchRequest& request);
  absl::StatusOr<FetchResult> Permitted(const FetchRequest& request);
  absl::StatusOr<FetchResult> FetchNow(const FetchRequest& request);

  const FetchPolicy policy_;
  const std::unique_ptr<http::HttpClient> client_;
  Semaphore permits_;
  FetchTurns* turns_ = nullptr;  // null: nobody's are bounded
  OriginGate* origins_ = nullptr;
  int64_t running_ = 0;
  FetchStats stats_;
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FETCH_H_
