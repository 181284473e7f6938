// A page is the merge of ranges: one for each kind that the query asks for, in its order. A task
// that is looked at and not shown can only be one that the end's time excludes, in the order of
// creation.
#include "server/tasks/ended_search.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

constexpr char kSelectKinds[] =
    "SELECT kind, tenant, queue, function, state FROM ended_kinds WHERE tenant = ?1";
constexpr char kSelectAllKinds[] = "SELECT kind, tenant, queue, function, state FROM ended_kinds";

#define GROVE_ENDED_COLUMNS "SELECT id, end_time_us, kind FROM ended"

// By EndedQuery::Order: ?1 is the id, ?2 the end and ?3 the kind.
constexpr const char* kSelectOfKind[] = {
    GROVE_ENDED_COLUMNS " INDEXED BY ended_of_kind WHERE kind = ?3 AND id > ?1 ORDER BY id",
    GROVE_ENDED_COLUMNS " INDEXED BY ended_of_kind WHERE kind = ?3 AND id < ?1 ORDER BY id DESC",
    GROVE_ENDED_COLUMNS
    " INDEXED BY ended_of_kind_by_end WHERE kind = ?3 AND (end_time_us, id) > (?2, ?1)"
    " ORDER BY end_time_us, id",
    GROVE_ENDED_COLUMNS
    " INDEXED BY ended_of_kind_by_end WHERE kind = ?3 AND (end_time_us, id) < (?2, ?1)"
    " ORDER BY end_time_us DESC, id DESC",
};
constexpr const char* kSelectOfAll[] = {
    GROVE_ENDED_COLUMNS " WHERE id > ?1 ORDER BY id",
    GROVE_ENDED_COLUMNS " WHERE id < ?1 ORDER BY id DESC",
    GROVE_ENDED_COLUMNS
    " INDEXED BY ended_by_end WHERE (end_time_us, id) > (?2, ?1) ORDER BY end_time_us, id",
    GROVE_ENDED_COLUMNS
    " INDEXED BY ended_by_end WHERE (end_time_us, id) < (?2, ?1) ORDER BY end_time_us DESC,"
    " id DESC",
};

constexpr TaskId kLastId = {~uint64_t{0}, ~uint64_t{0}};

// What their tasks have in common.
using Kinds = absl::flat_hash_map<int64_t, EndedRecord>;

bool Has(const EndedQuery& query, const EndedRecord& kind) {
  return (query.queue.empty() || kind.queue == query.queue) &&
         (query.function.empty() || kind.function == query.function) &&
         (query.states == 0 || (query.states >> kind.state & 1) != 0);
}

// Where a walk begins: what the time of the end excludes in its order is not walked through.
EndedPosition BeginOf(const EndedQuery& query) {
  const bool descends = query.descends();
  EndedPosition begin =
      descends ? EndedPosition{INT64_MAX, kLastId} : EndedPosition{INT64_MIN, TaskId()};
  if (query.after) begin = *query.after;
  if (!query.by_end()) return begin;
  if (descends && begin.end_time_us >= query.ended_before_us) {
    begin = {query.ended_before_us, TaskId()};
  }
  if (!descends && begin.end_time_us < query.ended_from_us) {
    begin = {query.ended_from_us - 1, kLastId};
  }
  return begin;
}

struct Head {
  EndedPosition position;
  int64_t kind = 0;
  sqlite::Statement rows;
};

class Search {
 public:
  Search(const sqlite::Connection& connection, const EndedQuery& query)
      : connection_(connection), query_(query) {}

  absl::StatusOr<EndedPage> Run() {
    absl::Status status = ReadKinds();
    if (status.ok()) status = Begin();
    if (status.ok()) status = PrepareRead();
    while (status.ok() && !heads_.empty()) {
      const bool is_full = page_.tasks.size() >= query_.count_max || looks_++ >= kEndedLooksMax ||
                           bytes_ >= kEndedPageBytesMax;
      if (is_full) {
        page_.next = last_;
        break;
      }
      status = TakeNext();
    }
    if (!status.ok()) return status;
    return std::move(page_);
  }

 private:
  absl::Status ReadKinds() {
    const auto select = connection_.Prepare(query_.tenant.empty() ? kSelectAllKinds : kSelectKinds);
    if (!select.ok()) return select.status();
    sqlite3_stmt* row = select->get();
    if (!query_.tenant.empty()) {
      sqlite3_bind_text64(row, 1, query_.tenant.data(), query_.tenant.size(), SQLITE_STATIC,
                          SQLITE_UTF8);
    }
    int code;
    while ((code = connection_.Step(row)) == SQLITE_ROW) {
      EndedRecord kind;
      kind.tenant = ColumnBytes(row, 1);
      kind.queue = ColumnBytes(row, 2);
      kind.function = ColumnBytes(row, 3);
      kind.state = sqlite3_column_int(row, 4);
      if (Has(query_, kind)) kinds_.emplace(sqlite3_column_int64(row, 0), std::move(kind));
    }
    return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
  }

  absl::Status Begin() {
    last_ = BeginOf(query_);
    if (kinds_.size() > kMergedKindsMax) return Add(kSelectOfAll, 0);
    for (const auto& [kind, of] : kinds_) {
      if (absl::Status added = Add(kSelectOfKind, kind); !added.ok()) return added;
    }
    return absl::OkStatus();
  }

  absl::Status Add(const char* const* selects, int64_t kind) {
    auto rows = connection_.Prepare(selects[static_cast<size_t>(query_.order)]);
    if (!rows.ok()) return rows.status();
    BindId(rows->get(), 1, last_.id);
    if (query_.by_end()) sqlite3_bind_int64(rows->get(), 2, last_.end_time_us);
    if (kind != 0) sqlite3_bind_int64(rows->get(), 3, kind);
    heads_.push_back({.rows = *std::move(rows)});
    return Advance();
  }

  // Puts the last of the heads where its next row belongs.
  absl::Status Advance() {
    Head& head = heads_.back();
    const int code = connection_.Step(head.rows.get());
    if (code == SQLITE_ROW) {
      head.position = {sqlite3_column_int64(head.rows.get(), 1), DecodeId(head.rows.get(), 0)};
      head.kind = sqlite3_column_int64(head.rows.get(), 2);
      std::push_heap(heads_.begin(), heads_.end(), Later());
      return absl::OkStatus();
    }
    heads_.pop_back();
    return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
  }

  absl::Status TakeNext() {
    std::pop_heap(heads_.begin(), heads_.end(), Later());
    const EndedPosition at = heads_.back().position;
    const bool is_beyond =
        query_.by_end() && (query_.descends() ? at.end_time_us < query_.ended_from_us
                                              : at.end_time_us >= query_.ended_before_us);
    if (is_beyond) {
      heads_.clear();
      return absl::OkStatus();
    }
    last_ = at;
    const auto kind = kinds_.find(heads_.back().kind);
    if (kind != kinds_.end() && query_.ended_from_us <= at.end_time_us &&
        at.end_time_us < query_.ended_before_us) {
      if (absl::Status read = Read(at.id); !read.ok()) return read;
    }
    return Advance();
  }

  absl::Status PrepareRead() {
    auto read = connection_.Prepare(kSelectShort);
    if (!read.ok()) return read.status();
    read_ = *std::move(read);
    sqlite3_bind_int64(read_.get(), 2, kInlinePayloadBytesMax);
    return absl::OkStatus();
  }

  absl::Status Read(const TaskId& id) {
    BindId(read_.get(), 1, id);
    const int code = connection_.Step(read_.get());
    if (code == SQLITE_ROW) {
      const StoredTask& task = page_.tasks.emplace_back(DecodeRow(read_.get()));
      bytes_ += static_cast<int64_t>(task.spec.size() + task.progress.task.size());
    }
    absl::Status status =
        code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
    sqlite3_reset(read_.get());
    return status;
  }

  // Of two heads, the one that comes later; the heap's top is the next.
  std::function<bool(const Head&, const Head&)> Later() const {
    const bool by_end = query_.by_end();
    const bool descends = query_.descends();
    return [by_end, descends](const Head& a, const Head& b) {
      const auto key = [by_end](const Head& head) {
        return std::pair(by_end ? head.position.end_time_us : 0, head.position.id);
      };
      return descends ? key(a) < key(b) : key(b) < key(a);
    };
  }

  const sqlite::Connection& connection_;
  const EndedQuery& query_;
  Kinds kinds_;
  std::vector<Head> heads_;
  // What was looked at last.
  EndedPosition last_;
  int looks_ = 0;
  sqlite::Statement read_;
  int64_t bytes_ = 0;
  EndedPage page_;
};

}  // namespace

absl::StatusOr<EndedPage> FindEnded(const sqlite::Connection& connection, const EndedQuery& query) {
  // Kinds and tasks of one instant.
  if (absl::Status begun = connection.Execute("BEGIN"); !begun.ok()) return begun;
  absl::StatusOr<EndedPage> page = Search(connection, query).Run();
  connection.Execute("COMMIT").IgnoreError();
  return page;
}

}  // namespace grove::tasks
