// A page is the merge of ranges: one for each kind that the query asks for, in its order. A task
// that is looked at and not shown can only be one that the end's time excludes, in the order of
// creation.
#include "server/tasks/ended_search.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

constexpr char kSelectKinds[] =
    "SELECT kind, tenant, queue, function, state FROM ended_kinds WHERE tenant = ?1";
constexpr char kSelectAllKinds[] = "SELECT kind, tenant, queue, function, state FROM ended_kinds";

#define GROVE_ENDED_OF_KIND "SELECT id, end_time_us FROM ended"

// The next of a kind, by EndedQuery::Order: ?1 is the id, ?2 the end and ?3 the kind.
constexpr const char* kSelectNext[] = {
    GROVE_ENDED_OF_KIND " WHERE kind = ?3 AND id > ?1 ORDER BY id LIMIT 1",
    GROVE_ENDED_OF_KIND " WHERE kind = ?3 AND id < ?1 ORDER BY id DESC LIMIT 1",
    GROVE_ENDED_OF_KIND
    " INDEXED BY ended_by_end WHERE kind = ?3 AND (end_time_us, id) > (?2, ?1)"
    " ORDER BY end_time_us, id LIMIT 1",
    GROVE_ENDED_OF_KIND
    " INDEXED BY ended_by_end WHERE kind = ?3 AND (end_time_us, id) < (?2, ?1)"
    " ORDER BY end_time_us DESC, id DESC LIMIT 1",
};

constexpr TaskId kLastId = {~uint64_t{0}, ~uint64_t{0}};

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

// The next task of a kind.
struct Head {
  EndedPosition position;
  int64_t kind = 0;
};

class Search {
 public:
  Search(const sqlite::Connection& connection, const EndedQuery& query)
      : connection_(connection), query_(query) {}

  absl::StatusOr<EndedPage> Run() {
    absl::Status status = Prepare();
    if (status.ok()) status = Begin();
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
  absl::Status Prepare() {
    for (auto [statement, sql] :
         {std::pair(&kinds_, query_.tenant.empty() ? kSelectAllKinds : kSelectKinds),
          std::pair(&next_, kSelectNext[static_cast<size_t>(query_.order)]),
          std::pair(&read_, kSelectShort)}) {
      auto prepared = connection_.Prepare(sql);
      if (!prepared.ok()) return prepared.status();
      *statement = *std::move(prepared);
    }
    sqlite3_bind_int64(read_.get(), 2, kInlinePayloadBytesMax);
    return absl::OkStatus();
  }

  // The first task of each kind that matches.
  absl::Status Begin() {
    last_ = BeginOf(query_);
    sqlite3_stmt* row = kinds_.get();
    if (!query_.tenant.empty()) {
      sqlite3_bind_text64(row, 1, query_.tenant.data(), query_.tenant.size(), SQLITE_STATIC,
                          SQLITE_UTF8);
    }
    int code;
    while ((code = connection_.Step(row)) == SQLITE_ROW) {
      EndedRecord kind;
      kind.queue = ColumnBytes(row, 2);
      kind.function = ColumnBytes(row, 3);
      kind.state = sqlite3_column_int(row, 4);
      if (!Has(query_, kind)) continue;
      heads_.push_back({.position = last_, .kind = sqlite3_column_int64(row, 0)});
      if (absl::Status advanced = Advance(); !advanced.ok()) return advanced;
    }
    return code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
  }

  // Puts the last of the heads where the next of its kind belongs.
  absl::Status Advance() {
    Head& head = heads_.back();
    BindId(next_.get(), 1, head.position.id);
    if (query_.by_end()) sqlite3_bind_int64(next_.get(), 2, head.position.end_time_us);
    sqlite3_bind_int64(next_.get(), 3, head.kind);
    const int code = connection_.Step(next_.get());
    absl::Status status =
        code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
    if (code == SQLITE_ROW) {
      head.position = {sqlite3_column_int64(next_.get(), 1), DecodeId(next_.get(), 0)};
      std::push_heap(heads_.begin(), heads_.end(), Later());
    } else {
      heads_.pop_back();
    }
    sqlite3_reset(next_.get());
    return status;
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
    if (query_.ended_from_us <= at.end_time_us && at.end_time_us < query_.ended_before_us) {
      if (absl::Status read = Read(at.id); !read.ok()) return read;
    }
    return Advance();
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
  sqlite::Statement kinds_;
  sqlite::Statement next_;
  sqlite::Statement read_;
  // A heap, but for the last one while it is moved.
  std::vector<Head> heads_;
  // What was looked at last.
  EndedPosition last_;
  int looks_ = 0;
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
