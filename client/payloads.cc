// Client's payloads.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "client/client.h"
#include "client/stubs.h"

namespace grove::client {
namespace {

using PayloadStub = v1::PayloadService::Stub;

// Sends what the source has; false: the server takes no more, and Finish() says why.
absl::StatusOr<bool> SendAll(const PayloadSource& source, v1::WritePayloadRequest first,
                             grpc::ClientWriter<v1::WritePayloadRequest>& writer) {
  v1::WritePayloadRequest request = std::move(first);
  // The record goes at once: what cannot be taken is refused before it is read.
  if (!writer.Write(request)) return false;
  for (;;) {
    absl::StatusOr<std::string> data = source();
    if (!data.ok()) return data.status();
    if (data->empty()) break;
    for (std::string_view rest = *data; !rest.empty();) {
      const std::string_view piece = rest.substr(0, kPayloadPieceBytes);
      request.Clear();
      request.set_data(std::string(piece));
      // Blocks while the server is slower.
      if (!writer.Write(request)) return false;
      rest.remove_prefix(piece.size());
    }
  }
  return writer.WritesDone();
}

}  // namespace

absl::StatusOr<v1::Payload> Client::WritePayload(std::string_view parent, const v1::Payload& wanted,
                                                 const PayloadSource& source, Stop* stop) {
  grpc::ClientContext context;
  stubs_->Authorize(context);
  const Stop::Call stoppable(stop, [&context] { context.TryCancel(); });
  v1::WritePayloadRequest first;
  first.set_parent(std::string(parent));
  *first.mutable_payload() = wanted;
  v1::WritePayloadResponse response;
  auto writer = stubs_->payloads.WritePayload(&context, &response);
  const absl::StatusOr<bool> sent = SendAll(source, std::move(first), *writer);
  if (!sent.ok()) context.TryCancel();
  const grpc::Status status = writer->Finish();
  if (!sent.ok()) return sent.status();
  if (!status.ok()) return FromGrpc(status);
  return std::move(*response.mutable_payload());
}

absl::Status Client::ReadPayload(std::string_view name, int64_t offset, const PayloadSink& sink,
                                 Stop* stop) {
  v1::ReadPayloadRequest request;
  request.set_name(std::string(name));
  request.set_offset(offset);
  std::optional<Retries> retries;
  for (;;) {
    grpc::ClientContext context;
    stubs_->Authorize(context);
    const Stop::Call stoppable(stop, [&context] { context.TryCancel(); });
    auto reader = stubs_->payloads.ReadPayload(&context, request);
    v1::ReadPayloadResponse response;
    v1::Payload payload;
    absl::Status taken;
    while (taken.ok() && reader->Read(&response)) {
      if (response.has_payload()) payload = response.payload();
      taken = sink(payload, response.data());
      request.set_offset(request.offset() + static_cast<int64_t>(response.data().size()));
      // Whatever comes begins another series of tries.
      retries.reset();
      stubs_->heard.store(true);
    }
    if (!taken.ok()) context.TryCancel();
    const absl::Status ended = FromGrpc(reader->Finish());
    if (!taken.ok() || ended.ok()) return taken;
    if (!retries) retries.emplace(Monotonic() + stubs_->retry_for, DrawPart);
    const auto pause = retries->After(ended, stubs_->heard.load(), Monotonic());
    if (!pause || !PauseFor(stop, *pause)) return ended;
  }
}

absl::StatusOr<v1::Payload> Client::GetPayload(std::string_view name) {
  v1::GetPayloadRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->CallAgain(stubs_->payloads, &PayloadStub::GetPayload, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_payload());
}

absl::StatusOr<v1::ListPayloadsResponse> Client::ListPayloads(v1::ListPayloadsRequest request,
                                                              int64_t limit) {
  return stubs_->Pages(
      stubs_->payloads, &PayloadStub::ListPayloads, std::move(request), limit,
      [](v1::ListPayloadsResponse& response) { return response.mutable_payloads(); });
}

absl::Status Client::DeletePayload(std::string_view name) {
  v1::DeletePayloadRequest request;
  request.set_name(std::string(name));
  return stubs_->Call(stubs_->payloads, &PayloadStub::DeletePayload, request).status();
}

}  // namespace grove::client
