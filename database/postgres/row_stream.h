// RowStream: the rows of a statement one after the other, however many they are.
//
//   absl::StatusOr<RowStream> rows = connection->Stream("SELECT id, body FROM messages");
//   for (;;) {
//     absl::StatusOr<bool> more = rows->Next();
//     if (!more.ok() || !*more) break;
//     rows->row().Get<int64_t>("id") …
// Rows that nobody asks for stay with the server: its send buffer, ours and the row's own bytes are
// all that is held. One that ends before its last row closes the connection; Finish() leaves it
// open. It must end before its connection. Hub thread only.
#ifndef GROVE_DATABASE_POSTGRES_ROW_STREAM_H_
#define GROVE_DATABASE_POSTGRES_ROW_STREAM_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "database/postgres/connection.h"
#include "database/postgres/result.h"

namespace grove::postgres {

class RowStream {
 public:
  RowStream(RowStream&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)),
        current_(std::move(other.current_)) {}
  RowStream& operator=(RowStream&&) = delete;
  ~RowStream();

  // Whether there is a further row, which is row() then. Statuses of Connection; a statement may
  // fail after rows that were given. After the end, or a failure: false. **Parks.**
  absl::StatusOr<bool> Next();
  // Requires: Next() has said so. Valid until the next one.
  Row row() const { return current_[0]; }
  // Ends it: the server is asked to send no more, and what is under way is dropped. The connection
  // can be used then; a transaction around it has failed. **Parks.**
  absl::Status Finish();

 private:
  friend class Connection;
  explicit RowStream(Connection& connection) : connection_(&connection), current_(nullptr) {}
  void Release();

  Connection* connection_;  // null: at the end
  Result current_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_ROW_STREAM_H_
