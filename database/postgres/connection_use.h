// The right of one fiber at a time to use a connection, with the waits of it told to the guard as
// those of the transaction itself.
#ifndef GROVE_DATABASE_POSTGRES_CONNECTION_USE_H_
#define GROVE_DATABASE_POSTGRES_CONNECTION_USE_H_

#include "database/postgres/connection.h"
#include "database/postgres/wire.h"

namespace grove::postgres {

class Connection::Use {
 public:
  explicit Use(Connection& connection)
      : connection_(connection), owned_(!connection.in_use_), own_wait_(connection.mark_.get()) {
    connection_.in_use_ = true;
  }
  ~Use() {
    if (owned_ && !kept_) connection_.in_use_ = false;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  absl::Status status() const {
    if (!owned_) {
      return absl::FailedPreconditionError(
          "the connection is in use: by another fiber, or by rows or a COPY that have not ended");
    }
    if (connection_.wire_ == nullptr) {
      return absl::FailedPreconditionError("the connection is closed");
    }
    return absl::OkStatus();
  }
  // What goes on with the connection gives it up.
  void Keep() { kept_ = true; }

 private:
  Connection& connection_;
  const bool owned_;
  bool kept_ = false;
  const guard::TransactionGuard::Mark::OwnWait own_wait_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_CONNECTION_USE_H_
