// StatementCache: which statements a connection has prepared, by text and types of parameters.
//
// Those used last are kept. Pure: it says which to prepare and which to end. A value.
#ifndef GROVE_DATABASE_POSTGRES_STATEMENT_CACHE_H_
#define GROVE_DATABASE_POSTGRES_STATEMENT_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "database/postgres/param.h"

namespace grove::postgres {

class StatementCache {
 public:
  explicit StatementCache(size_t max) : max_(max) {}

  // The name of the statement, which is used last from here on; null if it is not prepared. Valid
  // until it is dropped.
  const std::string* Find(std::string_view sql, absl::Span<const Param> params);
  // For one that Find() has not found: a new name.
  std::string NewName() { return "grove_" + std::to_string(++made_); }
  void Add(std::string_view sql, absl::Span<const Param> params, std::string name);
  void Remove(std::string_view sql, absl::Span<const Param> params);
  // The name of the one used longest ago, which is forgotten, if there is no place for one more.
  std::optional<std::string> Evict();
  void Clear();
  size_t size() const { return by_key_.size(); }
  bool enabled() const { return max_ > 0; }

 private:
  struct Statement {
    std::string key;
    std::string name;
  };
  const std::string& KeyOf(std::string_view sql, absl::Span<const Param> params);

  size_t max_;
  uint64_t made_ = 0;
  std::string key_;            // its memory is kept between calls
  std::list<Statement> used_;  // last first
  absl::flat_hash_map<std::string, std::list<Statement>::iterator> by_key_;
};

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_STATEMENT_CACHE_H_
