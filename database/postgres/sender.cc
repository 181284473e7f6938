#include "database/postgres/sender.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "database/postgres/sql_error.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {

ParamArrays::ParamArrays(absl::Span<const Param> params) {
  if (params.size() > PQ_QUERY_PARAM_MAX_LIMIT) {
    status_ = absl::InvalidArgumentError(absl::StrFormat(
        "%d parameters: at most %d go with a statement", params.size(), PQ_QUERY_PARAM_MAX_LIMIT));
    return;
  }
  size_t texts = 0;
  for (const Param& param : params) {
    if (!param.binary() && !param.null()) texts += param.bytes().size() + 1;
  }
  texts_.reserve(texts);  // so that what points into it stays
  for (const Param& param : params) {
    const std::string_view bytes = param.bytes();
    const char* value = bytes.data();
    if (param.null()) {
      value = nullptr;
    } else if (!param.binary()) {
      value = texts_.data() + texts_.size();
      texts_ += bytes;
      texts_ += '\0';
      if (bytes.find('\0') != std::string_view::npos) {
        status_ = absl::InvalidArgumentError(absl::StrFormat(
            "parameter $%d is a text with a NUL inside: send it as bytes", types_.size() + 1));
      }
    } else if (value == nullptr) {
      value = "";  // no bytes at all are not NULL
    }
    types_.push_back(param.type());
    values_.push_back(value);
    lengths_.push_back(static_cast<int>(bytes.size()));
    formats_.push_back(param.binary() ? 1 : 0);
  }
}

bool SendPrepareAndRun(PGconn* conn, StatementCache& statements, const std::string& name,
                       const std::string& sql, const ParamArrays& params, bool binary) {
  // In a transaction that has failed nothing is ended, and nothing is prepared either.
  if (PQtransactionStatus(conn) != PQTRANS_INERROR) {
    if (const std::optional<std::string> evicted = statements.Evict()) {
      const std::string end = "DEALLOCATE " + *evicted;
      if (PQsendQueryParams(conn, end.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) {
        return false;
      }
    }
  }
  return PQsendPrepare(conn, name.c_str(), sql.c_str(), params.size(), params.types()) != 0 &&
         PQsendQueryPrepared(conn, name.c_str(), params.size(), params.values(), params.lengths(),
                             params.formats(), binary ? 1 : 0) != 0;
}

bool IsStale(const absl::Status& status) {
  const std::optional<SqlError> error = SqlErrorOf(status);
  if (!error.has_value()) return false;
  // 0A000 has many meanings; this one is "cached plan must not change result type", and a statement
  // that is refused for another reason is refused again.
  return error->sqlstate == "26000" || error->sqlstate == "0A000";
}

}  // namespace grove::postgres
