// FetchTransfer: one request as a libcurl easy handle, and what came of it.
//
// Sets the options, collects the response within the limits, and turns libcurl's result into a
// Status. Its callbacks never park. Knows nothing of the multi handle that drives it.
#ifndef GROVE_SERVER_FUNCTIONS_FETCH_TRANSFER_H_
#define GROVE_SERVER_FUNCTIONS_FETCH_TRANSFER_H_

#include <curl/curl.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/sync/event.h"
#include "server/functions/fetch.h"

namespace grove::functions {

class FetchTransfer {
 public:
  // kInvalidArgument: the request is malformed. Both must outlive the transfer.
  static absl::StatusOr<std::unique_ptr<FetchTransfer>> Create(const FetchPolicy& policy,
                                                               const FetchRequest& request);
  // Requires: not in a multi handle.
  ~FetchTransfer();
  FetchTransfer(const FetchTransfer&) = delete;
  FetchTransfer& operator=(const FetchTransfer&) = delete;

  // The transfer that Create() made for a handle.
  static FetchTransfer& Of(CURL* easy);
  CURL* easy() const { return easy_; }
  const FetchLimits& limits() const { return limits_; }

  // libcurl has ended it. Sets done().
  void Complete(CURLcode code);
  Event& done() { return done_; }
  // What it took to find the host's address, if it had to. Requires: done(), or given up.
  void CountLookup(FetchStats& stats) const;
  // Once: what Complete() was told, with the response. Requires: done().
  absl::StatusOr<FetchResult> TakeResult();
  // `status` with the URL (without credentials) before its message.
  absl::Status Annotate(const absl::Status& status) const;

 private:
  FetchTransfer(const FetchPolicy& policy, const FetchRequest& request);
  absl::Status SetUrl();
  absl::Status SetHeaders();
  absl::Status SetOptions();
  void SetMethod();
  absl::Status Failure() const;

  bool AddHeaderLine(std::string_view line);
  bool AddBody(std::string_view bytes);
  // Remembers why the transfer is given up; the first reason counts.
  void Refuse(absl::Status why);
  absl::Status BodyTooLarge() const;

  static size_t OnHeader(char* bytes, size_t size, size_t count, void* self);
  static size_t OnBody(char* bytes, size_t size, size_t count, void* self);
  static int OnProgress(void* self, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t);
  static int OnResolverStart(void* resolver, void* reserved, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);

  const FetchPolicy& policy_;
  const FetchRequest& request_;
  FetchLimits limits_;
  CURL* const easy_;
  curl_slist* headers_ = nullptr;
  std::string shown_url_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  Event done_;
  CURLcode code_ = CURLE_OK;
  bool asked_resolver_ = false;
  size_t header_bytes_ = 0;
  FetchResult result_;
  absl::Status refusal_;          // of the response: ends the transfer
  absl::Status address_refusal_;  // another address may still serve
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FETCH_TRANSFER_H_
