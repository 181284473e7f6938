#include "server/streams.h"

#include <algorithm>
#include <utility>

namespace grove {
namespace {

class InputInMemory final : public InputStream {
 public:
  explicit InputInMemory(std::string_view data)
      : size_bytes_(static_cast<int64_t>(data.size())), left_(data) {}

  int64_t size_bytes() const override { return size_bytes_; }
  absl::StatusOr<std::string> Read(size_t max) override {
    std::string piece(left_.substr(0, max));
    left_.remove_prefix(piece.size());
    return piece;
  }

 private:
  const int64_t size_bytes_;
  std::string_view left_;
};

class OutputInMemory final : public OutputStream {
 public:
  explicit OutputInMemory(std::string content_type) : content_type_(std::move(content_type)) {}

  absl::Status Write(std::string_view data) override {
    bytes_.append(data);
    return absl::OkStatus();
  }
  absl::StatusOr<Output> Finish() override {
    return Output{std::move(bytes_), std::move(content_type_)};
  }

 private:
  std::string bytes_;
  std::string content_type_;
};

}  // namespace

std::unique_ptr<InputStream> MemoryInput(std::string_view data) {
  return std::make_unique<InputInMemory>(data);
}

std::unique_ptr<OutputStream> MemoryOutput(std::string content_type) {
  return std::make_unique<OutputInMemory>(std::move(content_type));
}

}  // namespace grove
