// How a statement and its parameters reach libpq's buffer; nothing here waits.
#ifndef GROVE_DATABASE_POSTGRES_SENDER_H_
#define GROVE_DATABASE_POSTGRES_SENDER_H_

#include <libpq-fe.h>

#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "database/postgres/param.h"
#include "database/postgres/statement_cache.h"

namespace grove::postgres {

// Parameters as libpq takes them; texts get the NUL at their end that it looks for.
class ParamArrays {
 public:
  explicit ParamArrays(absl::Span<const Param> params);
  // kInvalidArgument: a text with a NUL inside, or too many.
  absl::Status Validate() const { return status_; }

  int size() const { return static_cast<int>(types_.size()); }
  const Oid* types() const { return types_.data(); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  static constexpr size_t kUsual = 8;
  absl::Status status_;
  absl::InlinedVector<Oid, kUsual> types_;
  absl::InlinedVector<const char*, kUsual> values_;
  absl::InlinedVector<int, kUsual> lengths_;
  absl::InlinedVector<int, kUsual> formats_;
  std::string texts_;
};

// In pipeline mode: ends the statement that must make room, prepares the new one under `name`, and
// runs it. False as libpq's own calls.
bool SendPrepareAndRun(PGconn* conn, StatementCache& statements, const std::string& name,
                       const std::string& sql, const ParamArrays& params, bool binary);

// Whether a statement that the connection has prepared must be prepared again: its tables have
// changed, or somebody has ended it (DISCARD ALL).
bool IsStale(const absl::Status& status);

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_SENDER_H_
