#include "server/worker/attempt_streams.h"

#include <utility>

#include "absl/time/clock.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/payloads/payload_folder.h"
#include "server/refusal.h"
#include "server/tenancy/resource_name.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

using payloads::PayloadReader;
using payloads::PayloadWriter;

constexpr size_t kContentTypeMax = 255;

class FileInput final : public InputStream {
 public:
  FileInput(OffloadPool& offload, std::unique_ptr<PayloadReader> reader)
      : offload_(offload), reader_(std::move(reader)) {}

  int64_t size_bytes() const override { return reader_->head().size_bytes(); }
  absl::StatusOr<std::string> Read(size_t max) override {
    absl::StatusOr<std::string> piece;
    const absl::Status ran = offload_.Run([&] { piece = reader_->ReadAt(offset_, max); });
    if (!ran.ok()) return ran;
    if (piece.ok()) offset_ += static_cast<int64_t>(piece->size());
    return piece;
  }

 private:
  OffloadPool& offload_;
  const std::unique_ptr<PayloadReader> reader_;
  int64_t offset_ = 0;
};

// Gathers what may stay in memory, and once it has a file, pieces: a call of a thread for each.
class SpillingOutput final : public OutputStream {
 public:
  SpillingOutput(const PayloadAccess& access, OffloadPool& offload, size_t inline_max,
                 std::string_view tenant, std::string content_type)
      : access_(access),
        offload_(offload),
        inline_max_(inline_max),
        tenant_(tenant),
        content_type_(std::move(content_type)) {}
  ~SpillingOutput() override {
    // To be swept: a large file takes long to remove, and nothing may park here.
    if (writer_ != nullptr) writer_->Keep();
  }

  absl::Status Write(std::string_view data) override {
    if (access_.folder.empty()) {
      gathered_.append(data);
      return absl::OkStatus();
    }
    while (!data.empty()) {
      const size_t max = writer_ == nullptr ? inline_max_ : kStreamPieceBytes;
      const std::string_view piece = data.substr(0, max - gathered_.size());
      gathered_.append(piece);
      data.remove_prefix(piece.size());
      if (gathered_.size() < max || data.empty()) continue;
      if (absl::Status spilled = Spill(); !spilled.ok()) return spilled;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Output> Finish() override {
    if (writer_ == nullptr) return Output{std::move(gathered_), std::move(content_type_)};
    if (absl::Status spilled = Spill(); !spilled.ok()) return spilled;
    v1::Payload head;
    head.set_name(tenancy::FormatPayloadName(tenant_, id_));
    head.set_content_type(Utf8Text(content_type_, kContentTypeMax));
    proto::SetMicros(absl::ToUnixMicros(absl::Now()), head.mutable_create_time());
    head.set_state(v1::Payload::STATE_USED);
    absl::Status finished;
    const absl::Status ran = offload_.Run([&] { finished = writer_->Finish(head); });
    if (!ran.ok() || !finished.ok()) return ran.ok() ? finished : ran;
    writer_->Keep();
    return Output{.bytes = "",
                  .content_type = std::move(content_type_),
                  .streamed = std::make_shared<WrittenPayload>(id_, std::move(writer_))};
  }

 private:
  absl::Status Spill() {
    absl::Status written;
    const absl::Status ran = offload_.Run([&] {
      if (writer_ == nullptr) written = Create();
      if (written.ok()) written = writer_->Write(gathered_);
    });
    gathered_.clear();
    return ran.ok() ? written : ran;
  }

  // On a thread.
  absl::Status Create() {
    id_ = payloads::NewPayloadId(absl::ToUnixMillis(absl::Now()));
    const int64_t max = access_.bounds.payload_max_bytes();
    auto writer =
        PayloadWriter::Create(access_.folder, id_,
                              {.bytes_max = max > 0 ? max : INT64_MAX,
                               .disk_reserve_bytes = access_.bounds.disk_reserve_bytes()});
    if (!writer.ok()) return writer.status();
    writer_ = *std::move(writer);
    return absl::OkStatus();
  }

  const PayloadAccess& access_;
  OffloadPool& offload_;
  const size_t inline_max_;
  const std::string tenant_;
  std::string content_type_;
  std::string gathered_;
  std::string id_;
  std::unique_ptr<PayloadWriter> writer_;
};

absl::StatusOr<std::unique_ptr<PayloadReader>> OpenReader(const PayloadAccess& access,
                                                          OffloadPool& offload,
                                                          std::string_view id) {
  absl::StatusOr<std::unique_ptr<PayloadReader>> reader;
  const std::string path = payloads::PayloadFolder(access.folder).PathOf(id);
  const absl::Status ran = offload.Run([&] { reader = PayloadReader::Open(path); });
  if (!ran.ok()) return ran;
  return reader;
}

}  // namespace

void WrittenPayload::Describe(internal::v1::PayloadFile& file) const {
  file.set_file(id_);
  file.set_size_bytes(writer_->size_bytes());
  file.set_sha256(writer_->sha256());
}

absl::StatusOr<std::unique_ptr<InputStream>> OpenPayload(const PayloadAccess& access,
                                                         OffloadPool& offload,
                                                         std::string_view id) {
  auto reader = OpenReader(access, offload, id);
  if (!reader.ok()) return reader.status();
  return std::make_unique<FileInput>(offload, *std::move(reader));
}

absl::StatusOr<std::string> ReadPayload(const PayloadAccess& access, OffloadPool& offload,
                                        std::string_view id) {
  const auto reader = OpenReader(access, offload, id);
  if (!reader.ok()) return reader.status();
  const int64_t size = (*reader)->head().size_bytes();
  const int64_t max = access.bounds.input_max_bytes();
  if (size > max) {
    return Refusal(
        absl::StatusCode::kInvalidArgument, "INPUT_TOO_LARGE",
        StrCat("the input has ", size, " bytes, and the function reads it whole: at most ", max,
               " (tasks.input_max_bytes) are allowed"));
  }
  absl::StatusOr<std::string> input;
  const absl::Status ran =
      offload.Run([&] { input = (*reader)->ReadAt(0, static_cast<size_t>(size)); });
  if (!ran.ok()) return ran;
  return input;
}

std::unique_ptr<OutputStream> OpenOutput(const PayloadAccess& access, OffloadPool& offload,
                                         size_t inline_max, std::string_view tenant,
                                         std::string content_type) {
  return std::make_unique<SpillingOutput>(access, offload, inline_max, tenant,
                                          std::move(content_type));
}

}  // namespace grove::worker
