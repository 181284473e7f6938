// CopyIn and CopyOut: tables to and from the server as streams of bytes, in COPY's own formats.
//
// Both hold back: CopyIn::Write() parks while the server takes no more, and CopyOut reads only what
// is asked for. One that ends before its end closes its connection, and the server drops what it
// was sent. They must end before their connection. Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_COPY_H_
#define GROVE_DATABASE_POSTGRES_COPY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "database/postgres/connection.h"

namespace grove::postgres {

class CopyIn {
 public:
  CopyIn(CopyIn&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)), unsent_(other.unsent_) {}
  CopyIn& operator=(CopyIn&&) = delete;
  ~CopyIn();

  // Any piece, cut anywhere. Statuses of Connection; what the server thinks of it is told by
  // Finish(). **Parks** while the server takes no more.
  absl::Status Write(std::string_view bytes);
  // All was written: how many rows were stored. **Parks.**
  absl::StatusOr<int64_t> Finish();
  // Nothing is to be stored. The connection stays open. **Parks.**
  absl::Status Abort(const std::string& reason);

 private:
  friend class Connection;
  // libpq gathers so much before the kernel is asked to take it.
  static constexpr size_t kFlushBytes = size_t{64} << 10;

  explicit CopyIn(Connection& connection) : connection_(&connection) {}
  absl::StatusOr<int64_t> End(const char* reason);
  absl::Status Fail(absl::Status status);
  void Release();

  Connection* connection_;  // null: at the end
  size_t unsent_ = 0;
};

class CopyOut {
 public:
  CopyOut(CopyOut&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)), piece_(std::move(other.piece_)) {}
  CopyOut& operator=(CopyOut&&) = delete;
  ~CopyOut();

  // The next row's bytes, valid until the next call; empty at the end. **Parks.**
  absl::StatusOr<std::string_view> Next();

 private:
  friend class Connection;
  struct Free {
    void operator()(char* piece) const;
  };
  explicit CopyOut(Connection& connection) : connection_(&connection) {}
  absl::Status Fail(absl::Status status);
  void Release();

  Connection* connection_;  // null: at the end
  std::unique_ptr<char, Free> piece_;
};

// A line of COPY's text format: the fields with what it needs escaped; without one, NULL.
void AppendCopyRow(absl::Span<const std::optional<std::string_view>> fields, std::string& to);

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_COPY_H_
